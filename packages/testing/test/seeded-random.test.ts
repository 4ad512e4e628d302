import { describe, expect, test } from '@jest/globals'
import { seededRandom } from '../src/index.ts'

const draws = (seed: number, count: number): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.float())
}

describe('seededRandom', () => {
  test('repeats from a seed, differs between neighbouring seeds', () => {
    expect(draws(42, 100)).toEqual(draws(42, 100))
    expect(new Set([0, 1, 2, 3, -1].map((seed) => draws(seed, 1)[0])).size).toBe(5)
    expect(seededRandom(7).bytes(32)).toEqual(seededRandom(7).bytes(32))
  })

  test('floats stand in [0, 1) and fill it evenly', () => {
    const buckets = new Array<number>(20).fill(0)
    for (const value of draws(1, 20_000)) {
      expect(value >= 0 && value < 1).toBe(true)
      const bucket = Math.floor(value * 20)
      buckets[bucket] = (buckets[bucket] ?? 0) + 1
    }
    // 1000 expected in each, standard deviation 31
    expect(Math.min(...buckets)).toBeGreaterThan(850)
    expect(Math.max(...buckets)).toBeLessThan(1150)
  })

  test('bytes take every value', () => {
    expect(new Set(seededRandom(3).bytes(10_000)).size).toBe(256)
  })
})
