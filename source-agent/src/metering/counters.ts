/** What an agent counts over its life; shown at its end and in its status. */
const names = [
  'acknowledged_bytes',
  'sent_bytes',
  'sent_again',
  'duplicate_bytes',
  'misdirected',
  'diverged',
  'doubts_dropped',
  'generations',
  'truncations',
  'rotations',
  'lost_bytes',
  'perhaps_lost_bytes',
  'hole_bytes',
  'unobserved_generations',
  'damaged_checkpoints',
] as const
export type CounterName = (typeof names)[number]

export class Counters {
  readonly #values = new Map<CounterName, number>(names.map((name) => [name, 0]))

  add(name: CounterName, amount: number): void {
    this.#values.set(name, this.get(name) + amount)
  }

  get(name: CounterName): number {
    return this.#values.get(name) ?? 0
  }

  all(): Record<string, number> {
    return Object.fromEntries(this.#values)
  }
}
