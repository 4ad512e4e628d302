import type { Member } from '../world/member.ts'
import type { ZooKeeperSession } from '@catchment/coordination'

/** What a story may ask of its world. */
export interface StoryWorld {
  readonly seed: number
  /** Monotonic milliseconds since the schedule began. */
  readonly nowMs: () => number
  readonly sessionTimeoutMs: number
  readonly random: { float(): number }
  /** Those that live at this instant, stopped or not. */
  members(): readonly Member[]
  /** Another member joins and plays. */
  join(): void
  /** A session that no fault touches, for what the story itself writes and, at the end, looks at. */
  outside(): Promise<ZooKeeperSession>
  note(text: string): void
}

export interface Played {
  /** What one member does, until `member.signal` aborts. Rejecting fails the schedule. Called for each that comes. */
  readonly play: (member: Member) => Promise<void>
  /** The guarantee, looked at after every event; throws when it is broken. */
  readonly check: () => void
  /** After every fault has been healed and all have finished: nothing hangs, nothing is lost, nothing is left behind. */
  readonly end?: (outside: ZooKeeperSession) => Promise<void>
}

/** One recipe against its guarantee. `start` holds the state of one schedule in its closure. */
export interface Story {
  readonly recipe: string
  readonly members: number
  readonly start: (world: StoryWorld) => Played
  /** How long faults go on, virtual; 40 s unless given. */
  readonly horizonMs?: number
  /** 4 s unless given. */
  readonly sessionTimeoutMs?: number
}
