import type { Clock } from '@catchment/runtime'
import { abortError, ZooKeeperError, type Outcome, type ZooKeeperErrorCode } from '../contract/errors.ts'
import { Fifo } from './fifo.ts'
import { limited, type Awaited } from './limited.ts'
import type { Answer, Request } from '../requests/requests.ts'
import type { CallOptions } from '../contract/session.ts'
import type { Connection } from '../connection/zookeeper.ts'

/** Calls that are sent and unanswered; more wait. Unbounded pipelining starves pings. */
const inFlightMax = 1_000
const inFlightBytesMax = 16 << 20
/** Calls that wait for a connection or for their turn; the next is refused with `overloaded`. */
const waitingMax = 100_000
const waitingBytesMax = 64 << 20

export interface CallHooks<T> {
  /** An answer that makes the sending needless; asked when its turn has come. */
  readonly instead?: () => Answer<T> | undefined
  /** Just before the packet is queued: what it asks for can still be changed. */
  readonly onSend?: () => void
  /**
   * Once for every call that was sent, before any later packet is read: there a watch is registered without missing its
   * event. `late`: the caller has gone (deadline, signal).
   */
  readonly onAnswer?: (answer: Answer<T>, late: boolean) => void
}

type CallLimits = CallOptions & { readonly timeoutMs: number }

/**
 * The calls of a session. Each ends exactly once: answered, failed with its connection, by its deadline, by its signal or
 * with the session. A call that waits is withdrawn when it ends; one that was sent and ends early is `unknown` if it writes.
 */
export class Calls {
  readonly #clock: Clock
  readonly #waiting = new Fifo<Pick<Call<unknown>, 'bytes' | 'start' | 'fail'>>()
  #waitingBytes = 0
  #inFlight = 0
  #inFlightBytes = 0
  #connection: Connection | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Whether there is a connection to send on. */
  get attached(): boolean {
    return this.#connection !== undefined
  }

  call<T>(request: Request<T>, limits: CallLimits, hooks: CallHooks<T> = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(request, limits)
      if (refusal !== undefined) {
        reject(refusal)
        return
      }
      const call = new Call(request, hooks, (answer) => {
        if (withdraw()) this.#waitingBytes -= call.bytes
        if ('error' in answer) reject(answer.error)
        else resolve(answer.value)
      })
      const withdraw = this.#waiting.push(call)
      this.#waitingBytes += call.bytes
      call.limit(this.#clock, limits)
      this.#pump()
    })
  }

  attach(connection: Connection): void {
    this.#connection = connection
    this.#pump()
  }

  detach(): void {
    this.#connection = undefined
  }

  /** Ends what waits. What is in flight ends with its connection. */
  failWaiting(code: ZooKeeperErrorCode, why: string): void {
    for (let left = this.#waiting.size; left > 0; left -= 1) this.#next()?.fail(code, why)
  }

  #refusal(request: Request<unknown>, { signal, timeoutMs }: CallLimits): ZooKeeperError | undefined {
    if (signal?.aborted === true) return abortError(request.attempt, signal.reason)
    if (!(timeoutMs > 0))
      return new ZooKeeperError('timeout', `${request.attempt}: its time is over: ${Math.round(timeoutMs)} ms`)
    if (this.#waiting.size < waitingMax && this.#waitingBytes + request.packet.length <= waitingBytesMax)
      return undefined
    const waits = `${this.#waiting.size} calls of ${this.#waitingBytes} bytes wait already`
    return new ZooKeeperError('overloaded', `${request.attempt}: ${waits}; send fewer at once`)
  }

  #pump(): void {
    for (;;) {
      const connection = this.#connection
      if (connection === undefined || connection.closed) return
      if (this.#inFlight >= inFlightMax || this.#inFlightBytes >= inFlightBytesMax) return
      const call = this.#next()
      if (call === undefined) return
      const sent = call.start(connection, () => {
        this.#inFlight -= 1
        this.#inFlightBytes -= call.bytes
        this.#pump()
      })
      if (!sent) continue
      this.#inFlight += 1
      this.#inFlightBytes += call.bytes
    }
  }

  #next(): Pick<Call<unknown>, 'bytes' | 'start' | 'fail'> | undefined {
    const call = this.#waiting.shift()
    if (call !== undefined) this.#waitingBytes -= call.bytes
    return call
  }
}

class Call<T> {
  readonly bytes: number
  readonly #request: Request<T>
  readonly #hooks: CallHooks<T>
  readonly #onEnd: (answer: Answer<T>) => void
  #stage: 'waiting' | 'sent' | 'ended' = 'waiting'
  #unlimit: (() => void) | undefined

  constructor(request: Request<T>, hooks: CallHooks<T>, onEnd: (answer: Answer<T>) => void) {
    this.bytes = request.packet.length
    this.#request = request
    this.#hooks = hooks
    this.#onEnd = onEnd
  }

  /** Ends it by deadline or signal. */
  limit(clock: Clock, limits: CallLimits): void {
    const awaited = (): Awaited => ({ name: this.#request.attempt, outcome: this.#outcome() })
    this.#unlimit = limited(clock, limits, awaited, (error) => {
      this.#end({ error })
    })
  }

  /** Whether it was sent. Then `onAnswered` is called once, not from within this call. */
  start(connection: Connection, onAnswered: () => void): boolean {
    const instead = this.#hooks.instead?.()
    if (instead !== undefined) {
      this.#end(instead)
      return false
    }
    this.#stage = 'sent'
    this.#hooks.onSend?.()
    connection.send(this.#request, (answer) => {
      this.#hooks.onAnswer?.(answer, this.#stage === 'ended')
      this.#end(answer)
      onAnswered()
    })
    return true
  }

  fail(code: ZooKeeperErrorCode, why: string): void {
    this.#end({ error: new ZooKeeperError(code, `${this.#request.attempt}: ${why}`) })
  }

  /** Of one that ends before its answer. */
  #outcome(): Outcome {
    return this.#stage === 'sent' && this.#request.writes ? 'unknown' : 'not-done'
  }

  #end(answer: Answer<T>): void {
    if (this.#stage === 'ended') return
    this.#stage = 'ended'
    this.#unlimit?.()
    this.#onEnd(answer)
  }
}
