import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { inOrder, kindOf } from '../../../src/line/line.ts'
import { decideExclusive } from '../../../src/line/acquisition.ts'

const name = (sequence: number): string => `0123456789abcdef-lock-${String(sequence).padStart(10, '0')}`

describe('a line', () => {
  test('inOrder: by the sequence alone, also when it passes 2³¹; what is no place is left out', () => {
    const names = [
      'ffffffffffffffff-lock-0000000002',
      '0000000000000000-read-0000000010',
      'config',
      '12-lock-0000000001',
    ]
    expect(inOrder(names)).toEqual(names.slice(0, 2))
    expect(inOrder([name(-2147483648), name(2147483647), name(-2147483647)])).toEqual(
      [2147483647, -2147483648, -2147483647].map(name),
    )
  })

  test('kindOf: of a name and of a path', () => {
    expect(kindOf('0123456789abcdef-read-0000000001')).toBe('read')
    expect(kindOf('/a/b-c/0123456789abcdef-write--2147483648')).toBe('write')
    expect(kindOf('/a/config')).toBeUndefined()
  })

  test('decideExclusive: one holds, each other waits for one before it, no one for the same; absent is never holding', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(1_000), { minLength: 1 }), (sequences) => {
        const line = inOrder(sequences.map(name))
        const decisions = line.map((own) => decideExclusive(line, own))
        expect(decisions.filter((one) => one === 'holds')).toEqual(['holds'])
        const awaited = decisions.flatMap((one) => (typeof one === 'object' ? [one.waitsFor] : []))
        expect(awaited).toEqual(line.slice(0, -1))
        expect(decideExclusive(line, name(1_001))).toBe('absent')
      }),
    )
  })
})
