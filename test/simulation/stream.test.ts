import { describe, expect, test } from '@jest/globals'
import { full, seededRandom } from '@catchment/testing'
import { StreamWorld } from './stream-world.ts'

const seeds = full ? 50_000 : 2_000
const steps = 120

describe('one stream, one agent, two collectors', () => {
  test(`lose nothing, double only what is named, and never hang, over ${seeds} random schedules`, () => {
    let doubled = 0
    for (let seed = 1; seed <= seeds; seed += 1) {
      try {
        doubled += run(seed)
      } catch (thrown) {
        throw new Error(`seed ${seed}`, { cause: thrown })
      }
    }
    expect(doubled).toBeGreaterThan(0) // the faults did reach what they were meant to reach
  }, 300_000)
})

function run(seed: number): number {
  const random = seededRandom(seed)
  const world = new StreamWorld(random)
  const faultChance = 0.05 + random.float() * 0.3
  for (let step = 0; step < steps; step += 1) world.step(faultChance)
  world.quiesce()
  return world.checkDoubles()
}
