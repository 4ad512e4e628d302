import type { Clock } from '@catchment/runtime'
import { ZooKeeperError } from './errors.ts'
import type { CallOptions } from './session.ts'
import type { Answer, Connection, Request } from './zookeeper.ts'

/** Sent and unanswered on one connection; more wait. Unbounded pipelining starves pings. */
const inFlightMax = 1_000
/** Calls that wait for a connection or for their turn; the next is refused with `overloaded`. */
const waitingMax = 100_000

interface Waiting {
  start(connection: Connection): void
  fail(error: ZooKeeperError): void
  readonly attempt: string
}

/**
 * The calls of a session. Each ends exactly once: answered, failed with its connection, by its deadline, by its signal or
 * with the session. A call that waits is withdrawn when it ends; one that was sent and ends early is `unknown` if it writes.
 */
export class Calls {
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()
  #connection: Connection | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `onAnswer` runs before any later packet is read: there a watch is registered without missing its event. */
  call<T>(
    request: Request<T>,
    options: CallOptions & { readonly timeoutMs: number },
    onAnswer?: (answer: Answer<T>) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const refusal = this.#refusal(request, options.signal)
      if (refusal !== undefined) {
        reject(refusal)
        return
      }
      let sent = false
      let finished = false
      const finish = (answer: Answer<T>): void => {
        finished = true
        timer.cancel()
        options.signal?.removeEventListener('abort', abort)
        this.#waiting.delete(waiting)
        if ('error' in answer) reject(answer.error)
        else resolve(answer.value)
      }
      const giveUp = (code: 'timeout' | 'aborted', why: string): void => {
        const outcome = sent && request.writes ? 'unknown' : 'not-done'
        finish({
          error: new ZooKeeperError(code, `${request.attempt}: ${why}`, { outcome, cause: options.signal?.reason }),
        })
      }
      const abort = (): void => {
        giveUp('aborted', 'aborted by the caller')
      }
      const timer = this.#clock.after(options.timeoutMs, () => {
        giveUp('timeout', `no answer within ${options.timeoutMs} ms`)
      })
      const waiting: Waiting = {
        attempt: request.attempt,
        start: (connection) => {
          sent = true
          connection.send(request, (answer) => {
            if (!finished) {
              onAnswer?.(answer)
              finish(answer)
            }
            this.#pump()
          })
        },
        fail: (error) => {
          finish({ error })
        },
      }
      options.signal?.addEventListener('abort', abort, { once: true })
      this.#waiting.add(waiting)
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
  failWaiting(code: 'session-lost' | 'closed', why: string): void {
    for (const waiting of [...this.#waiting]) waiting.fail(new ZooKeeperError(code, `${waiting.attempt}: ${why}`))
  }

  #refusal(request: Request<unknown>, signal: AbortSignal | undefined): ZooKeeperError | undefined {
    if (signal?.aborted === true)
      return new ZooKeeperError('aborted', `${request.attempt}: aborted by the caller`, { cause: signal.reason })
    if (this.#waiting.size < waitingMax) return undefined
    return new ZooKeeperError('overloaded', `${request.attempt}: ${waitingMax} calls wait already; send fewer at once`)
  }

  #pump(): void {
    for (const waiting of this.#waiting) {
      if (this.#connection === undefined || this.#connection.inFlight >= inFlightMax) return
      this.#waiting.delete(waiting)
      waiting.start(this.#connection)
    }
  }
}
