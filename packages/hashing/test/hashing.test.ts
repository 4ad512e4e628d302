import { describe, expect, test } from '@jest/globals'
import { fnv1a32, fnv1a64, hash32, mix32, slotTable, stableDivision, unitHash32, weightedRing } from '../src/index.ts'
import { hashes, keys, mixed, slotTables, stableDivisions, weightedRings } from './vectors.ts'

describe('hashes give what they always gave', () => {
  test('of texts', () => {
    const given = hashes.map(([text]) => [text, hash32(text), unitHash32(text), fnv1a32(text), fnv1a64(text)])
    expect(given).toEqual(hashes)
  })

  test('of numbers', () => {
    expect(mixed.map(([value]) => [value, mix32(value)])).toEqual(mixed)
  })

  test('fnv1a32 and fnv1a64 are the published FNV-1a', () => {
    expect(fnv1a32('foobar')).toBe(0xbf9cf968)
    expect(fnv1a64('foobar')).toBe('85944171f73967e8')
  })
})

describe('rings give every key the owner that it always had', () => {
  test.each(weightedRings)('weightedRing of $name', ({ members, owners }) => {
    const ring = weightedRing(members.map(({ id, weight = 1 }) => ({ id, capacity: weight })))
    expect(keys.map((key) => ring.ownerOf(key)).join('')).toBe(owners)
  })

  test.each(stableDivisions)('stableDivision of $name', ({ members, owners }) => {
    const division = stableDivision(keys, members)
    expect(keys.map((key) => members.findIndex(({ id }) => id === division.get(key))).join('')).toBe(owners)
  })

  test.each(slotTables)('slotTable of $name', ({ members, owners }) => {
    const ownerOf = slotTable(members)
    expect(keys.map((key) => members.findIndex(({ id }) => id === ownerOf(key))).join('')).toBe(owners)
  })

  test('without members no key has an owner', () => {
    expect(weightedRing([]).ownerOf('any')).toBe(-1)
    expect(slotTable([])('any')).toBeUndefined()
    expect(stableDivision(['any'], []).size).toBe(0)
  })
})
