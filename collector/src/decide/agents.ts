// One writer per stream rests on one living agent per id: of two that use the same id the later start wins, and the other
// is answered that it did.

import type { AgentIdentity } from '@catchment/protocol'

/** Past it the agent that has been silent longest is forgotten. */
export const agentsMax = 100_000

/** The agent that last sent under each id. */
export class AgentRegister {
  readonly #known = new Map<string, AgentIdentity>()

  /** False for a lower start count than the one known, or an equal one of another incarnation. */
  accepts(agent: AgentIdentity): boolean {
    const known = this.#known.get(agent.id)
    if (known !== undefined) {
      if (agent.starts < known.starts) return false
      if (agent.starts === known.starts && agent.incarnation !== known.incarnation) return false
      this.#known.delete(agent.id)
    }
    this.#known.set(agent.id, agent)
    const oldest = this.#known.keys().next()
    if (this.#known.size > agentsMax && oldest.done !== true) this.#known.delete(oldest.value)
    return true
  }
}
