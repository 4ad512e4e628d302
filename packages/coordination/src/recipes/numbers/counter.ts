import { randomHex } from '../../attempts/random-hex.ts'
import { isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { afterLostAnswer, untilAnswered } from '../../attempts/until-answered.ts'
import { untilWritten } from '../../attempts/until-written.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** The writes that a counter remembers, by a token each: so many others may come between a lost answer and the look at it. */
const tokensMax = 32
const valueMax = 2n ** 63n - 1n
const shape = /^(-?\d{1,19})((?: [0-9a-f]{16})*)$/

export interface CounterValue {
  readonly value: bigint
  /** Grows by one with each write, from 0 for a counter that no one wrote. */
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
 * the same version, which cannot happen twice; then the tokens show whether the first had happened.
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
  return new Counter(session, options.path)
}

class Counter implements SharedCounter {
  readonly #session: ZooKeeperSession
  readonly #path: string

  constructor(session: ZooKeeperSession, path: string) {
    this.#session = session
    this.#path = path
  }

  async get(call: CallOptions = {}): Promise<CounterValue> {
    const path = this.#path
    assertGiven(`get counter ${path}`, { options: call }, { options: callOptions })
    const left = sharedDeadline(this.#session, call)
    await untilAnswered(this.#session, (each) => this.#session.sync(path, each), left)
    const { value, version } = await this.#read(left)
    return { value, version }
  }

  async add(amount: bigint, call: CallOptions = {}): Promise<CounterValue> {
    const rules = { amount: isInteger, options: callOptions }
    assertGiven(`add to counter ${this.#path}`, { amount, options: call }, rules)
    return this.#write(({ value }) => value + amount, call)
  }

  async compareAndSet(value: bigint, version: number, call: CallOptions = {}): Promise<CounterValue> {
    const attempt = `set counter ${this.#path}`
    const rules = { value: isInteger, version: is.wholeNumber(0), options: callOptions }
    assertGiven(attempt, { value, version, options: call }, rules)
    const next = ({ version: currentVersion }: CounterValue): bigint => {
      if (currentVersion === version) return value
      const why = `it is at version ${currentVersion}, not ${version}; read it and decide again`
      throw new ZooKeeperError('bad-version', `${attempt}: ${why}`, { currentVersion })
    }
    return this.#write(next, call)
  }

  #write(next: (now: CounterValue) => bigint, call: CallOptions): Promise<CounterValue> {
    const token = randomHex(this.#session.random)
    const attempt = async (left: CallOptions): Promise<CounterValue | undefined> => {
      const now = await this.#read(left)
      const value = next(now)
      assertValue(this.#path, value)
      const data = Buffer.from([value, ...[...now.tokens, token].slice(-tokensMax)].join(' '))
      const written = await this.#writeAt(now, { data, token }, left)
      return written ? { value, version: now.version + 1 } : undefined
    }
    return untilWritten(this.#session, `write counter ${this.#path}`, attempt, call)
  }

  /** Whether it was written; false if another was faster. */
  async #writeAt(
    now: Read,
    { data, token }: { readonly data: Buffer; readonly token: string },
    call: CallOptions,
  ): Promise<boolean> {
    const session = this.#session
    try {
      await untilAnswered(session, (each) => session.set(this.#path, data, now.version, each), call)
      return true
    } catch (thrown) {
      if (!isCode(thrown, 'bad-version')) throw thrown
      if (thrown.outcome === 'not-done') return false
      const since = await afterLostAnswer(() => this.#read(call))
      if (since.tokens.includes(token)) return true
      if (since.version - now.version <= tokensMax) return false
      throw thrown
    }
  }

  async #read(call: CallOptions): Promise<Read> {
    const [session, path] = [this.#session, this.#path]
    for (;;) {
      const found = await untilAnswered(session, (each) => getOrUndefined(session, path, each), call)
      if (found !== undefined) return parse(path, found.data, found.stat.version)
      await untilAnswered(session, (each) => session.ensurePath(path, each), call)
    }
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
