// What the leader sees of collectors itself: loads every two seconds, and whether a collector's port still answers. A port
// that refuses is a process that is gone, known long before its session expires.

import type { LoadAnswer } from '@catchment/protocol'
import { Background, sleep, type Log } from '@catchment/runtime'
import { loadPollIntervalMs, type PollAnswer, type CollectorProbe, type Target } from './collector-probe.ts'
import type { GroupLoads } from '../tree/decide/group-loads.ts'
import type { Observation } from '../tree/observation.ts'

/** A thousand agents that cannot reach a collector are one reason to probe it, not a thousand. */
const probeIntervalMs = 1_000

export class LoadPoller {
  readonly #collectors: CollectorProbe
  readonly #observation: Observation
  readonly #loads: GroupLoads
  readonly #listeners = new Set<() => void>()
  readonly #background: Background
  /** The last probe of each collector, under way or done. */
  readonly #probes = new Map<string, { readonly atMs: number; readonly done: Promise<void> }>()

  constructor(options: { collectors: CollectorProbe; observation: Observation; loads: GroupLoads; log: Log }) {
    this.#collectors = options.collectors
    this.#observation = options.observation
    this.#loads = options.loads
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.stack })
    })
  }

  /** Called after each round of polls. */
  onPolled(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** What a leader has measured does not count any more: another measures now. */
  deposed(): void {
    this.#loads.clear()
  }

  /** Polls until `lead` aborts. */
  start(lead: AbortSignal): void {
    this.#background.run('polling loads', async (closing) => {
      const signal = AbortSignal.any([lead, closing])
      try {
        for (;;) {
          await this.#poll(signal)
          await sleep(this.#collectors.clock, loadPollIntervalMs, signal)
        }
      } catch (thrown) {
        if (!signal.aborted) throw thrown
      }
    })
  }

  /** An agent says that this collector refused it: see for oneself, at most once a second. Resolves when that is done. */
  async probe(id: string, signal: AbortSignal): Promise<void> {
    const url = this.#observation.snapshot?.collectors.get(id)?.status?.status.url
    if (url === undefined) return
    const nowMs = this.#collectors.clock.monotonicMs()
    const last = this.#probes.get(id)
    if (last === undefined || nowMs - last.atMs >= probeIntervalMs)
      this.#probes.set(id, { atMs: nowMs, done: this.#probe({ id, url }, signal) })
    await this.#probes.get(id)?.done
  }

  async close(): Promise<void> {
    await this.#background.close()
  }

  async #probe(target: Target, signal: AbortSignal): Promise<void> {
    this.#judge(target.id, await this.#collectors.probe(target, signal))
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const targets: Target[] = []
    for (const [id, { status }] of this.#observation.snapshot?.collectors ?? [])
      if (status?.status.state === 'serving') targets.push({ id, url: status.status.url })
    await this.#collectors.loads(targets, signal, (target, answer) => {
      if (answer.kind === 'answered') this.#take(target.id, answer.value)
      this.#judge(target.id, answer)
    })
    this.#prune()
    for (const listener of this.#listeners) listener()
  }

  #judge(id: string, answer: PollAnswer<unknown>): void {
    if (answer.kind !== 'silent') this.#observation.takeProbe(id, answer.kind)
  }

  #take(collector: string, { groups }: LoadAnswer): void {
    const nowMs = this.#collectors.clock.monotonicMs()
    const { index } = this.#observation
    for (const { group, load } of groups)
      if (index.serverOf(group) === collector) this.#loads.report(collector, group, load, nowMs)
  }

  /** Groups and collectors that are no more take no room. */
  #prune(): void {
    const { index, snapshot } = this.#observation
    for (const id of [...this.#probes.keys()]) if (snapshot?.collectors.has(id) !== true) this.#probes.delete(id)
    this.#loads.prune(index.size, (group) => index.isKnown(group))
  }
}
