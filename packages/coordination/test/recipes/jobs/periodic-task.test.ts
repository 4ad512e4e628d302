import { describe, expect, test } from '@jest/globals'
import { every } from '../../../src/index.ts'

describe('every', () => {
  test('slots are aligned to 1970 and moved by the offset', () => {
    expect([every(60_000).atOrBefore(119_999), every(60_000).after(60_000)]).toEqual([60_000, 120_000])
    expect([every(60_000, 5_000).atOrBefore(4_999), every(60_000, 5_000).after(4_999)]).toEqual([-55_000, 5_000])
    expect(() => every(0.5)).toThrow('intervalMs is a whole number from 1, not 0.5')
  })
})
