import { asError, type Clock } from '@catchment/runtime'

/** What `work` resolves with, or `late` when that takes longer than `withinMs`; `work` goes on all the same. */
export function within<T, L>(clock: Clock, work: Promise<T>, withinMs: number, late: L): Promise<T | L> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(withinMs, () => {
      resolve(late)
    })
    work.then(
      (value) => {
        timer.cancel()
        resolve(value)
      },
      (thrown: unknown) => {
        timer.cancel()
        reject(asError(thrown))
      },
    )
  })
}
