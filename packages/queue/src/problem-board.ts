import type { QueueProblem } from './decide/problems.ts'

/** The problems of now, and who wants to know when they change. */
export class ProblemBoard {
  #problems: readonly QueueProblem[] = []
  readonly #listeners = new Set<(problems: readonly QueueProblem[]) => void>()

  get problems(): readonly QueueProblem[] {
    return this.#problems
  }

  show(problems: readonly QueueProblem[]): void {
    const before = JSON.stringify(this.#problems)
    this.#problems = problems
    if (JSON.stringify(problems) === before) return
    for (const listener of this.#listeners) listener(problems)
  }

  listen(listener: (problems: readonly QueueProblem[]) => void): () => void {
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }
}
