import { expect, test } from '@jest/globals'
import { hash32 } from '@catchment/hashing'
import { modelOf } from '../src/model.ts'
import { largestFirst } from '../src/ordering.ts'
import { evenLoad, manyGroups } from './situations.ts'

function ordered(groups: readonly { readonly name: string; readonly amount: number }[]): string[] {
  const listed = groups.map(({ name, amount }) => ({ name, load: evenLoad(amount), server: undefined }))
  const all = Uint32Array.from(listed.keys())
  return Array.from(
    largestFirst(modelOf({ collectors: [], groups: listed }), all),
    (group) => listed[group]?.name ?? '',
  )
}

test('largestFirst orders by name what has one size and one hash', () => {
  const twins = [
    { name: 'saes91', amount: 1 },
    { name: 'bmsevs', amount: 1 },
  ]
  expect(new Set(twins.map(({ name }) => hash32(name))).size).toBe(1)
  expect(ordered(twins)).toEqual(ordered(twins.toReversed()))
})

test('largestFirst distinguishes sizes that are one as 32-bit floats', () => {
  const near = Array.from({ length: 20 }, (_, at) => ({ name: `near${at}`, amount: 1e9 + at }))
  expect(ordered(near)).toEqual(near.map(({ name }) => name).toReversed())
})

test('largestFirst orders many groups by size', () => {
  const many = manyGroups(5000, 9).map(({ name, load }) => ({ name, amount: load?.recordsPerSecond ?? 0 }))
  expect(ordered(many)).toEqual(many.toSorted((a, b) => b.amount - a.amount).map(({ name }) => name))
})

test('hash32 is FNV-1a with the finalizer of MurmurHash3', () => {
  // Of no text FNV-1a is its offset basis, 0x811c9dc5; the finalizer makes of it what stands here.
  let finalized = 0x811c9dc5n
  const wrap = (value: bigint): bigint => BigInt.asUintN(32, value)
  finalized = wrap((finalized ^ (finalized >> 16n)) * 0x85ebca6bn)
  finalized = wrap((finalized ^ (finalized >> 13n)) * 0xc2b2ae35n)
  expect(BigInt(hash32(''))).toBe(finalized ^ (finalized >> 16n))
})
