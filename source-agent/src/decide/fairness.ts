// Deficit round robin (Shreedhar and Varghese, SIGCOMM 1995): each stream in turn may read a quantum of bytes; what it
// could not use it keeps while it has work, and what it overdrew it owes. One loud file cannot starve a thousand quiet.

export interface Fairness {
  /** In the order in which they are served. */
  readonly ring: Map<string, number>
  readonly quantumBytes: number
}

export function createFairness(quantumBytes: number): Fairness {
  return { ring: new Map(), quantumBytes }
}

/** `id` has work; it queues after all others. Nothing changes for one that is queued. */
export function enqueue(fairness: Fairness, id: string): void {
  if (!fairness.ring.has(id)) fairness.ring.set(id, 0)
}

export function dequeue(fairness: Fairness, id: string): void {
  fairness.ring.delete(id)
}

/**
 * Who is served next: the first that has credit left, else each in turn gets a quantum. `usable` is false for
 * those that it would serve in vain. Undefined when none can be served.
 */
export function nextToServe(fairness: Fairness, usable: (id: string) => boolean): string | undefined {
  const { ring, quantumBytes } = fairness
  for (let round = 0; round < 2; round += 1)
    for (const [id, credit] of [...ring]) {
      if (!usable(id)) continue
      if (credit > 0) return id
      ring.delete(id)
      ring.set(id, Math.min(credit + quantumBytes, quantumBytes))
    }
  for (const id of ring.keys()) if (usable(id)) return id
  return undefined
}

export function served(fairness: Fairness, id: string, bytes: number): void {
  const credit = fairness.ring.get(id)
  if (credit !== undefined) fairness.ring.set(id, credit - bytes)
}
