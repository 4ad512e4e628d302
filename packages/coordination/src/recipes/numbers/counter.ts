import { isCode, ZooKeeperError } from '../../session/errors.ts'
import { assertGiven, callOptions, is } from '../../session/given.ts'
import { getOrUndefined } from '../../calls/get-or-undefined.ts'
import { afterLostAnswer, untilAnswered } from '../../calls/until-answered.ts'
import { untilWritten } from '../../calls/until-written.ts'
import { sharedDeadline } from '../../session/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/session.ts'

/** The writes that a counter remembers, by a token each: so many others may come between a lost answer and the look at it. */
const tokensMax = 32
const valueMax = 2n ** 63n - 1n
const shape = /^(-?\d{1,19})((?: [0-9a-f]{16})*)$/

export interface CounterValue {
  readonly value: bigint
  /** Grows by one with each write, from 0 for a counter that nobody wrote. */
  readonly version: number
}

export interface SharedCounterOptions {
  /** The persistent node whose data is the number; made if it is missing. */
  readonly path: string
}

const optionRules = is.options<SharedCounterOptions>({ path: is.path })
const isInteger = is.that('is a bigint, as 5n', (value) => typeof value === 'bigint')

export interface SharedCounter {
  get(options?: CallOptions): Promise<CounterValue>
  /** Adds once, whatever is lost. Resolves with the value and version that this addition made. */
  add(amount: bigint, options?: CallOptions): Promise<CounterValue>
  /** Writes at `version` only; rejects with `bad-version`, carrying `currentVersion`, if it is another. */
  compareAndSet(value: bigint, version: number, options?: CallOptions): Promise<CounterValue>
}

interface Read extends CounterValue {
  readonly tokens: readonly string[]
}

/**
 * A number that many add to. Source: Curator's SharedCount, with a memory of what was written.
 *
 * Protocol: the data of `path` is the value and the tokens of the last 32 writes. A write reads, and sets at the version that
 * it read; when another was faster it does so again, after a short random delay. If an answer is lost it is sent again at
 * the same version, which cannot happen twice; then the tokens tell whether the first had happened.
 *
 * Guarantee: what resolves was added exactly once, what rejects with outcome `not-done` never. `unknown` are only: an end by
 * deadline, signal or close() while it was under way, and a lost answer with more than 32 writes of others since.
 * Values are 64 bits with a sign; what would pass that is refused with `bad-arguments`. A node whose data is no counter is
 * refused, its data in `existing`.
 *
 * Suspended or lost: calls go on when connected again, without limit unless `timeoutMs` is given; nothing here belongs to a
 * session. Writers of one counter take turns: some hundreds of additions a second, all together.
 *
 * Throws `bad-arguments`.
 */
export function sharedCounter(session: ZooKeeperSession, options: SharedCounterOptions): SharedCounter {
  assertGiven('make shared counter', { session, options }, { options: optionRules })
  const { path } = options
  return {
    get: async (call = {}) => {
      assertGiven(`get counter ${path}`, { options: call }, { options: callOptions })
      const left = sharedDeadline(session, call)
      await untilAnswered(session, (each) => session.sync(path, each), left)
      const { value, version } = await read(session, path, left)
      return { value, version }
    },
    add: async (amount, call = {}) => {
      assertGiven(`add to counter ${path}`, { amount, options: call }, { amount: isInteger, options: callOptions })
      return await write(session, path, ({ value }) => value + amount, call)
    },
    compareAndSet: async (value, version, call = {}) => {
      const rules = { value: isInteger, version: is.wholeNumber(0), options: callOptions }
      assertGiven(`set counter ${path}`, { value, version, options: call }, rules)
      return await write(
        session,
        path,
        (now) => {
          if (now.version === version) return value
          throw new ZooKeeperError(
            'bad-version',
            `set counter ${path}: it is at version ${now.version}, not ${version}; read it and decide again`,
            { currentVersion: now.version },
          )
        },
        call,
      )
    },
  }
}

async function write(
  session: ZooKeeperSession,
  path: string,
  next: (now: CounterValue) => bigint,
  call: CallOptions,
): Promise<CounterValue> {
  const token = Buffer.from(session.random.bytes(8)).toString('hex')
  const attempt = async (left: CallOptions): Promise<CounterValue | undefined> => {
    const now = await read(session, path, left)
    const value = next(now)
    assertValue(path, value)
    const written = await writeAt(session, path, { now, value, token }, left)
    return written ? { value, version: now.version + 1 } : undefined
  }
  return await untilWritten(session, `write counter ${path}`, attempt, call)
}

/** Whether it was written; false if another was faster. */
async function writeAt(
  session: ZooKeeperSession,
  path: string,
  { now, value, token }: { readonly now: Read; readonly value: bigint; readonly token: string },
  call: CallOptions,
): Promise<boolean> {
  const data = Buffer.from([value, ...[...now.tokens, token].slice(-tokensMax)].join(' '))
  try {
    await untilAnswered(session, (each) => session.set(path, data, now.version, each), call)
    return true
  } catch (thrown) {
    if (!isCode(thrown, 'bad-version')) throw thrown
    if (thrown.outcome === 'not-done') return false
    const since = await afterLostAnswer(() => read(session, path, call))
    if (since.tokens.includes(token)) return true
    if (since.version - now.version <= tokensMax) return false
    throw thrown
  }
}

async function read(session: ZooKeeperSession, path: string, call: CallOptions): Promise<Read> {
  for (;;) {
    const found = await untilAnswered(session, (each) => getOrUndefined(session, path, each), call)
    if (found !== undefined) return parse(path, found.data, found.stat.version)
    await untilAnswered(session, (each) => session.ensurePath(path, each), call)
  }
}

function parse(path: string, data: Buffer, version: number): Read {
  const text = data.length === 0 ? '0' : data.toString('latin1')
  const [, value, tokens] = shape.exec(text) ?? []
  if (value === undefined || tokens === undefined)
    throw new ZooKeeperError('refused', `read counter ${path}: its data is no counter`, { existing: data })
  return { value: BigInt(value), version, tokens: tokens.split(' ').filter((one) => one !== '') }
}

function assertValue(path: string, value: bigint): void {
  if (value > valueMax || value < -valueMax - 1n)
    throw new ZooKeeperError('bad-arguments', `write counter ${path}: ${value} does not fit in 64 bits`)
}
