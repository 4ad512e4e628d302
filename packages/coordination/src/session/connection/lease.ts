/**
 * How long a session can be relied on. The server counts its timeout from the last request that reached it; the client
 * knows only when it sent the last one that was answered, which is earlier. Counting from there it gives up first, as long
 * as the server that answers is in touch with its leader. A follower that is cut off from it goes on answering pings until
 * it notices (`syncLimit` × `tickTime`, 10 s by default), while the leader expires the session: with a shorter session
 * timeout a client can then believe in ephemerals that are gone. No client can know; what must not be done by two is fenced.
 *
 * Pure: times are monotonic milliseconds, handed in.
 */
export class Lease {
  readonly timeoutMs: number
  #answeredSentAtMs: number
  #pingedAtMs: number

  constructor(timeoutMs: number, nowMs: number) {
    this.timeoutMs = timeoutMs
    this.#answeredSentAtMs = nowMs
    this.#pingedAtMs = nowMs
  }

  answered(sentAtMs: number): void {
    this.#answeredSentAtMs = Math.max(this.#answeredSentAtMs, sentAtMs)
  }

  pinged(nowMs: number): void {
    this.#pingedAtMs = nowMs
  }

  /** A quarter of the timeout after the last ping, whatever else is read or written: reads must not starve pings. */
  pingDue(nowMs: number): boolean {
    return nowMs - this.#pingedAtMs >= this.timeoutMs / 4
  }

  /** Nothing was answered of what was sent in two thirds of the timeout: look for another server while there is time. */
  silent(nowMs: number): boolean {
    return nowMs - this.#answeredSentAtMs >= (this.timeoutMs * 2) / 3
  }

  over(nowMs: number): boolean {
    return nowMs - this.#answeredSentAtMs >= this.timeoutMs
  }

  /** Until the next of these can become true, at least 1 ms. */
  nextCheckMs(nowMs: number): number {
    const since = nowMs - this.#answeredSentAtMs
    const silentMs = (this.timeoutMs * 2) / 3
    const untilTurnMs = since < silentMs ? silentMs - since : this.timeoutMs - since
    const untilPingMs = this.#pingedAtMs + this.timeoutMs / 4 - nowMs
    return Math.max(1, Math.ceil(Math.min(untilTurnMs, untilPingMs > 0 ? untilPingMs : this.timeoutMs / 4)))
  }
}
