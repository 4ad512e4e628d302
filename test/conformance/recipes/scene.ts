import type { Client, Eventually } from '../../../packages/coordination/test/world/world.ts'

/** What a story has at hand: a node of its own, and one victim, who suffers between `prepare` and the end of `strike`. */
export interface Scene {
  readonly path: string
  /** Opens a client; the first one opened is the victim. */
  readonly open: () => Promise<Client>
  /** Arms the faults that strike the victim's next request. */
  readonly prepare: () => void
  /** Strikes the victim at rest. */
  readonly strike: () => Promise<void>
  readonly endsSession: boolean
  readonly eventually: Eventually
}

export type Recipe = (scene: Scene) => Promise<void>
