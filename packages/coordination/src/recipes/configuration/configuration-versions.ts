// What a configuration is in the tree: its versions, and the one transaction that adds one.

import { randomHex } from '../../attempts/random-hex.ts'
import { isCode, ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { afterLostAnswer, untilAnswered } from '../../attempts/until-answered.ts'
import type { Operation } from '../../session/contract/nodes.ts'
import type { CallOptions, WatchListener, ZooKeeperSession } from '../../session/contract/session.ts'

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
  readonly json: string
  readonly expectedVersion: number | undefined
}

export interface VersionsOptions {
  readonly path: string
  readonly id: string
  readonly historyMax: number
}

/** The versions of one configuration. */
export class ConfigurationVersions {
  readonly #session: ZooKeeperSession
  readonly #options: VersionsOptions

  constructor(session: ZooKeeperSession, options: VersionsOptions) {
    this.#session = session
    this.#options = options
  }

  /** Resolves with the new version; undefined if another was faster, where no version was expected. */
  async publish(publication: Publication, call: CallOptions): Promise<number | undefined> {
    const session = this.#session
    const { path, id, historyMax } = this.#options
    const { attempt, json, expectedVersion } = publication
    const { version, kept } = await this.#readExpected(expectedVersion, call)
    if (expectedVersion !== undefined && expectedVersion !== version)
      throw new ZooKeeperError(
        'bad-version',
        `${attempt}: version ${version} is current, not ${expectedVersion}; read it and decide again`,
        { currentVersion: version },
      )
    const token = randomHex(session.random)
    const next = this.#nodeOf(version + 1)
    const old = kept.filter((one) => one <= version + 1 - historyMax)
    const operations: Operation[] = [
      { op: 'set', path, data: Buffer.from(json), version },
      { op: 'create', path: next, data: Buffer.from(`${token} ${id}\n${json}`) },
      ...old.map((one) => ({ op: 'delete', path: this.#nodeOf(one), version: 'any' }) as const),
    ]
    try {
      await untilAnswered(session, (each) => session.multi(operations, each), call)
      return version + 1
    } catch (thrown) {
      if (isCode(thrown, 'too-large')) throw tooLarge(publication, thrown)
      if (!isCode(thrown, 'bad-version', 'node-exists', 'no-node')) throw thrown
      if (thrown.code === 'node-exists') throw refused(attempt, path, version + 1, thrown)
      if (thrown.outcome === 'not-done') return undefined
      const found = await afterLostAnswer(() => this.#tokenAt(next, call))
      if (found === undefined) throw thrown
      return found === token ? version + 1 : undefined
    }
  }

  /**
   * The current one, and a watch on what will be. Again when it fell out of the history between the two reads; what is in none
   * was written into the node by hand.
   */
  async current(call: CallOptions, watch?: WatchListener): Promise<Published | undefined> {
    let before: number | undefined
    for (;;) {
      const stat = await this.#session.exists(this.#options.path, watch === undefined ? call : { ...call, watch })
      if (stat === undefined) return undefined
      const { version } = stat
      const kept = version > 0 ? await ignoring(this.read(version, call), 'no-node') : undefined
      if (kept !== undefined) return kept
      if (version === 0 || version === before) {
        const byHand = await this.#byHand(call)
        if (byHand?.version === version) return byHand.text === '' ? undefined : byHand
      }
      before = version
    }
  }

  async read(version: number, call: CallOptions): Promise<Published> {
    const { data, stat } = await this.#session.get(this.#nodeOf(version), call)
    const end = data.indexOf('\n')
    const [, by = ''] = /^[0-9a-f]{16} (.*)$/.exec(data.toString('utf8', 0, Math.max(end, 0))) ?? []
    return { version, by, atMs: stat.ctimeMs, json: () => JSON.parse(data.toString('utf8', end + 1)) as unknown }
  }

  /** Those that are kept, newest first. */
  async history(call: CallOptions): Promise<Published[]> {
    const { kept } = await this.#readKept(call)
    const read = kept.toReversed().map((version) =>
      ignoring(
        untilAnswered(this.#session, (each) => this.read(version, each), call),
        'no-node', // fell out of it meanwhile
      ),
    )
    return (await Promise.all(read)).filter((one) => one !== undefined)
  }

  /** What is there; where that is not what is expected, our server may be late: then once more, after a sync. */
  async #readExpected(expected: number | undefined, call: CallOptions): Promise<KeptVersions> {
    const read = await this.#readKept(call)
    if (expected === undefined || expected === read.version) return read
    await untilAnswered(this.#session, (each) => this.#session.sync(this.#options.path, each), call)
    return this.#readKept(call)
  }

  /** Makes what is missing. */
  async #readKept(call: CallOptions): Promise<KeptVersions> {
    const session = this.#session
    const { path } = this.#options
    const versions = `${path}/versions`
    for (;;) {
      const found = await untilAnswered(session, (each) => getOrUndefined(session, path, each), call)
      const listing = untilAnswered(session, (each) => session.children(versions, each), call)
      const listed = await ignoring(listing, 'no-node')
      if (found !== undefined && listed !== undefined)
        return { version: found.stat.version, kept: listed.names.map(Number).sort((one, other) => one - other) }
      await untilAnswered(session, (each) => session.ensurePath(versions, each), call)
    }
  }

  /** Who published at `node`; undefined if it is not kept any more. */
  async #tokenAt(node: string, call: CallOptions): Promise<string | undefined> {
    const found = await untilAnswered(this.#session, (each) => getOrUndefined(this.#session, node, each), call)
    return found?.data.toString('latin1', 0, found.data.indexOf(' '))
  }

  async #byHand(call: CallOptions): Promise<(Published & { readonly text: string }) | undefined> {
    const found = await getOrUndefined(this.#session, this.#options.path, call)
    if (found === undefined) return undefined
    const { version, mtimeMs } = found.stat
    const text = found.data.toString()
    return { version, by: '', atMs: mtimeMs, text, json: () => JSON.parse(text) as unknown }
  }

  #nodeOf(version: number): string {
    return `${this.#options.path}/versions/${String(version).padStart(10, '0')}`
  }
}

interface KeptVersions {
  readonly version: number
  readonly kept: readonly number[]
}

/** Where it is not for the value, it is for what falls out of the history, or for a long id. */
function tooLarge({ attempt, json }: Publication, cause: ZooKeeperError): ZooKeeperError {
  const bytes = Buffer.byteLength(json)
  if (bytes <= valueBytesMax) return cause
  const kilobytes = (count: number): string => `${Math.round(count / 1_000)} kB`
  const rule = `a value has at most about ${kilobytes(valueBytesMax)} as JSON, this one ${kilobytes(bytes)}`
  return new ZooKeeperError('too-large', `${attempt}: ${rule}; publish a reference to it`, { cause })
}

/** The version of `path` was right, so no one published that one: someone else wrote there. */
function refused(attempt: string, path: string, version: number, cause: ZooKeeperError): ZooKeeperError {
  return new ZooKeeperError(
    'refused',
    `${attempt}: version ${version} exists before it was published; someone wrote below ${path}/versions: remove it`,
    { cause },
  )
}
