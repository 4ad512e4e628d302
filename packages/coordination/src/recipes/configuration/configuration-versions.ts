// What a configuration is in the tree: its versions, and the one transaction that adds one.

import { isCode, ZooKeeperError } from '../../session/errors.ts'
import { getOrUndefined } from '../../calls/get-or-undefined.ts'
import { afterLostAnswer, untilAnswered } from '../../calls/until-answered.ts'
import type { Operation } from '../../session/nodes.ts'
import type { CallOptions, WatchListener, ZooKeeperSession } from '../../session/session.ts'

export interface Published {
  readonly version: number
  /** Empty for what was written by hand. */
  readonly by: string
  /** Milliseconds since 1970, by the server's clock. */
  readonly atMs: number
  /** What was published; throws if the node's data is no JSON. */
  json(): unknown
}

/** Each stands twice in the transaction that publishes it. */
const valueBytesMax = 500_000

interface Publication {
  /** For errors: "publish /colour". */
  readonly attempt: string
  readonly path: string
  readonly id: string
  readonly json: string
  readonly historyMax: number
  readonly expectedVersion: number | undefined
}

/** What is there; where that is not what is expected, our server may be behind: then once more, after a sync. */
async function readExpected(
  session: ZooKeeperSession,
  { path, expectedVersion }: Publication,
  call: CallOptions,
): ReturnType<typeof readKept> {
  const read = await readKept(session, path, call)
  if (expectedVersion === undefined || expectedVersion === read.version) return read
  await untilAnswered(session, (each) => session.sync(path, each), call)
  return readKept(session, path, call)
}

/** Resolves with the new version; undefined if another was faster, where no version was expected. */
export async function publishAt(
  session: ZooKeeperSession,
  publication: Publication,
  call: CallOptions,
): Promise<number | undefined> {
  const { attempt, path, id, json, historyMax, expectedVersion } = publication
  const { version, kept } = await readExpected(session, publication, call)
  if (expectedVersion !== undefined && expectedVersion !== version)
    throw new ZooKeeperError(
      'bad-version',
      `${attempt}: version ${version} is current, not ${expectedVersion}; read it and decide again`,
      { currentVersion: version },
    )
  const token = Buffer.from(session.random.bytes(8)).toString('hex')
  const next = nodeOf(path, version + 1)
  const operations: Operation[] = [
    { op: 'set', path, data: Buffer.from(json), version },
    { op: 'create', path: next, data: Buffer.from(`${token} ${id}\n${json}`) },
    ...kept
      .filter((one) => one <= version + 1 - historyMax)
      .map((one) => ({ op: 'delete', path: nodeOf(path, one), version: 'any' }) as const),
  ]
  try {
    await untilAnswered(session, (each) => session.multi(operations, each), call)
    return version + 1
  } catch (thrown) {
    if (isCode(thrown, 'too-large')) throw tooLarge(publication, thrown)
    if (!isCode(thrown, 'bad-version', 'node-exists', 'no-node')) throw thrown
    if (thrown.code === 'node-exists') throw refused(publication, version + 1, thrown)
    if (thrown.outcome === 'not-done') return undefined
    const found = await afterLostAnswer(() => tokenAt(session, next, call))
    if (found === undefined) throw thrown
    return found === token ? version + 1 : undefined
  }
}

/** Where it is not for the value, it is for what falls out of the history, or for a long id. */
function tooLarge({ attempt, json }: Publication, cause: ZooKeeperError): ZooKeeperError {
  const bytes = Buffer.byteLength(json)
  if (bytes <= valueBytesMax) return cause
  const kilobytes = (count: number): string => `${Math.round(count / 1_000)} kB`
  const rule = `a value has at most about ${kilobytes(valueBytesMax)} as JSON, this one ${kilobytes(bytes)}`
  return new ZooKeeperError('too-large', `${attempt}: ${rule}; publish a reference to it`, { cause })
}

/** The version of `path` was right, so nobody published that one: somebody else wrote there. */
function refused({ attempt, path }: Publication, version: number, cause: ZooKeeperError): ZooKeeperError {
  return new ZooKeeperError(
    'refused',
    `${attempt}: version ${version} exists before it was published; somebody wrote below ${path}/versions: remove it`,
    { cause },
  )
}

/** Who published at `node`; undefined if it is not kept any more. */
async function tokenAt(session: ZooKeeperSession, node: string, call: CallOptions): Promise<string | undefined> {
  const found = await untilAnswered(session, (each) => getOrUndefined(session, node, each), call)
  return found?.data.toString('latin1', 0, found.data.indexOf(' '))
}

/** Makes what is missing. */
async function readKept(
  session: ZooKeeperSession,
  path: string,
  call: CallOptions,
): Promise<{ readonly version: number; readonly kept: readonly number[] }> {
  for (;;) {
    try {
      const { stat } = await untilAnswered(session, (each) => session.get(path, each), call)
      const { names } = await untilAnswered(session, (each) => session.children(`${path}/versions`, each), call)
      return { version: stat.version, kept: names.map(Number).sort((one, other) => one - other) }
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
    }
    await untilAnswered(session, (each) => session.ensurePath(`${path}/versions`, each), call)
  }
}

/**
 * The current one, and a watch on what will be. Again when it fell out of the history between the two reads; what is in none
 * was written into the node by hand.
 */
export async function readCurrent(
  session: ZooKeeperSession,
  path: string,
  call: CallOptions,
  watch?: WatchListener,
): Promise<Published | undefined> {
  let before: number | undefined
  for (;;) {
    const stat = await session.exists(path, watch === undefined ? call : { ...call, watch })
    if (stat === undefined) return undefined
    const { version } = stat
    try {
      if (version > 0) return await readVersion(session, path, version, call)
    } catch (thrown) {
      if (!isCode(thrown, 'no-node')) throw thrown
    }
    if (version === 0 || version === before) {
      const byHand = await readByHand(session, path, call)
      if (byHand?.version === version) return byHand.text === '' ? undefined : byHand
    }
    before = version
  }
}

async function readByHand(
  session: ZooKeeperSession,
  path: string,
  call: CallOptions,
): Promise<(Published & { readonly text: string }) | undefined> {
  const found = await getOrUndefined(session, path, call)
  if (found === undefined) return undefined
  const { version, mtimeMs } = found.stat
  const text = found.data.toString()
  return { version, by: '', atMs: mtimeMs, text, json: () => JSON.parse(text) as unknown }
}

export async function readVersion(
  session: ZooKeeperSession,
  path: string,
  version: number,
  call: CallOptions,
): Promise<Published> {
  const { data, stat } = await session.get(nodeOf(path, version), call)
  const end = data.indexOf('\n')
  const [, by = ''] = /^[0-9a-f]{16} (.*)$/.exec(data.toString('utf8', 0, Math.max(end, 0))) ?? []
  return { version, by, atMs: stat.ctimeMs, json: () => JSON.parse(data.toString('utf8', end + 1)) as unknown }
}

export async function readHistory(session: ZooKeeperSession, path: string, call: CallOptions): Promise<Published[]> {
  const { kept } = await readKept(session, path, call)
  const read = kept.toReversed().map(async (version) => {
    try {
      return [await untilAnswered(session, (each) => readVersion(session, path, version, each), call)]
    } catch (thrown) {
      if (isCode(thrown, 'no-node')) return [] // fell out of it meanwhile
      throw thrown
    }
  })
  return (await Promise.all(read)).flat()
}

function nodeOf(path: string, version: number): string {
  return `${path}/versions/${String(version).padStart(10, '0')}`
}
