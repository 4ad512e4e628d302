import { asError } from '../errors.ts'

/** Steps that undo what was set up: run last to first, every one of them, every failure reported. */
export class Teardown {
  readonly #steps: { name: string; run: () => Promise<void> | void }[] = []
  #closing: Promise<void> | undefined

  add(name: string, run: () => Promise<void> | void): void {
    this.#steps.push({ name, run })
  }

  /** Runs all steps once, however often it is called. Rejects with an AggregateError when any failed. */
  close(): Promise<void> {
    this.#closing ??= this.#runAll()
    return this.#closing
  }

  async #runAll(): Promise<void> {
    const failures: Error[] = []
    // what is added while others close is closed too
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.run()
      } catch (thrown) {
        failures.push(new Error(`could not close ${step.name}: ${asError(thrown).message}`, { cause: thrown }))
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map((failure) => failure.message).join('; '))
  }
}
