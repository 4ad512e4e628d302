// The tree as people and programs get it from an assigner: made when something has changed, and at most once a second else.

import type { TreeAnswer } from '@catchment/protocol'
import type { Clock } from '@catchment/runtime'
import type { Configurations } from '../operations/configurations.ts'
import type { Observation } from '../tree/observation.ts'
import type { SessionWatch } from '../tree/session-watch.ts'
import { treeAnswer, treeProblems } from './decide/tree-answer.ts'

/** How long an answer serves all who ask, while nothing changes. */
const answerKeptMs = 1_000

export interface TreeReporterOptions {
  readonly id: string
  readonly root: string
  readonly clock: Clock
  readonly observation: Observation
  readonly configurations: Configurations
  readonly sessionWatch: SessionWatch
}

export class TreeReporter {
  readonly #options: TreeReporterOptions
  #kept: { readonly revision: number; readonly atMs: number; readonly answer: TreeAnswer } | undefined

  constructor(options: TreeReporterOptions) {
    this.#options = options
  }

  answer(): TreeAnswer {
    const { clock, observation, sessionWatch } = this.#options
    // Silence is no event: a collector that has stopped reporting is found by looking.
    if (this.#kept === undefined || clock.monotonicMs() - this.#kept.atMs > answerKeptMs) observation.look()
    const { revision } = observation
    const nowMs = clock.monotonicMs()
    if (this.#kept?.revision !== revision || nowMs - this.#kept.atMs > answerKeptMs)
      this.#kept = { revision, atMs: nowMs, answer: this.#make() }
    return { ...this.#kept.answer, at: clock.now(), ageMs: sessionWatch.ageMs }
  }

  #make(): TreeAnswer {
    const { clock, configurations, id, observation, root } = this.#options
    const { epoch, leader, frozen, snapshot } = observation
    const inTree = snapshot === undefined ? [] : treeProblems(snapshot)
    return treeAnswer(observation.cluster([]), {
      ...{ root, epoch, leader, frozen, at: clock.now(), ageMs: 0, answeredBy: id },
      assigners: snapshot?.candidates ?? [],
      problems: [...inTree, ...configurations.problems],
    })
  }
}
