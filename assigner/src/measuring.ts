// The leader's own senses: loads every two seconds, and whether a collector's port still answers. A port that refuses is a
// process that is gone, known long before its session expires.

import type { LoadAnswer } from '@catchment/protocol'
import { Background, sleep, type Log } from '@catchment/runtime'
import { loadPollIntervalMs, type Answer, type Collectors, type Target } from './collectors.ts'
import type { Observation } from './observation.ts'

/** A group that has just come is measured from nothing: until then its former load counts if it is greater. */
const warmUpMs = 15_000
/** A thousand agents that cannot reach a collector are one reason to probe it, not a thousand. */
const probeIntervalMs = 1_000

export class Measuring {
  readonly #collectors: Collectors
  readonly #observation: Observation
  readonly #onMeasured: () => void
  readonly #background: Background
  /** The last probe of each collector, under way or done. */
  readonly #probes = new Map<string, { readonly atMs: number; readonly done: Promise<void> }>()
  readonly #reporters = new Map<string, { collector: string; sinceMs: number }>()

  constructor(options: { collectors: Collectors; observation: Observation; log: Log; onMeasured: () => void }) {
    this.#collectors = options.collectors
    this.#observation = options.observation
    this.#onMeasured = options.onMeasured
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.stack })
    })
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
    this.#onMeasured()
  }

  #judge(id: string, answer: Answer<unknown>): void {
    const { membership } = this.#observation
    if (answer.kind === 'silent') return
    const nowMs = this.#collectors.clock.monotonicMs()
    const news = answer.kind === 'refused' ? membership.refused(id, nowMs) : membership.answered(id, nowMs)
    if (news) this.#observation.look()
  }

  #take(collector: string, { groups }: LoadAnswer): void {
    const nowMs = this.#collectors.clock.monotonicMs()
    const { index, loads } = this.#observation
    for (const { group, load } of groups) {
      if (index.serverOf(group) !== collector) continue
      const reporter = this.#reporters.get(group)
      if (reporter?.collector !== collector) this.#reporters.set(group, { collector, sinceMs: nowMs })
      const warm = reporter?.collector === collector && nowMs - reporter.sinceMs >= warmUpMs
      const before = warm ? undefined : loads.get(group)
      loads.set(group, before !== undefined && before.bytesPerSecond > load.bytesPerSecond ? before : load)
    }
  }

  /** Groups and collectors that are no more take no room. */
  #prune(): void {
    const { index, loads, snapshot } = this.#observation
    for (const id of [...this.#probes.keys()]) if (snapshot?.collectors.has(id) !== true) this.#probes.delete(id)
    if (this.#reporters.size <= index.size) return
    for (const group of [...this.#reporters.keys()]) {
      if (index.isKnown(group)) continue
      this.#reporters.delete(group)
      loads.delete(group)
    }
  }
}
