import { expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import fc from 'fast-check'
import { commands, play } from './history.ts'

/** Found by long runs: each was a bug once. */
const named: Record<string, string[]> = {
  'copies and deletions around a crash': [
    ...['delete', 'copytruncate', 'delete', 'append much', 'rotate', 'crash', 'lose answers', 'lose answers'],
    ...['delete', 'append much', 'truncate'],
  ],
  'a truncation between two reads of one block': ['crash', 'truncate', 'append', 'append half a line'],
  'stored bytes, a checkpoint that does not report yet, and a truncation': ['append', 'move', 'truncate', 'crash'],
  'a collector that holds more than the size that was known': ['append much', 'copytruncate', 'move', 'crash'],
  'a copy made over an older copy, then a deletion': ['delete', 'copytruncate', 'copytruncate', 'truncate', 'delete'],
  'truncated and rotated, and an end before the next look': ['truncate', 'rotate', 'write late', 'restart', 'append'],
}

test.concurrent.each(Object.entries(named))('every generation arrives byte for byte: %s', async (_, history) => {
  await expect(play(history)).resolves.toBeUndefined()
})

const runs = full ? { count: 200, seed: Date.now() % 1_000_000 } : { count: 15, seed: 7 }
/** Histories wait more than they work. */
const atOnce = 6

test(
  'every generation arrives byte for byte, whatever happens to the file and the agent',
  async () => {
    const history = fc.array(fc.constantFrom(...Object.keys(commands)), { minLength: 4, maxLength: 14 })
    const histories = fc.sample(history, { seed: runs.seed, numRuns: runs.count }).values()
    const failures: string[] = []
    const playOn = async (): Promise<void> => {
      for (const names of histories)
        await play(names).catch((thrown: unknown) => {
          failures.push(`seed ${runs.seed}, ${JSON.stringify(names)}: ${String(thrown)}`)
        })
    }
    await Promise.all(Array.from({ length: atOnce }, playOn))
    expect(failures).toEqual([])
  },
  full ? 600_000 : 300_000, // it computes: on a busy machine for long
)
