import { describe, expect, test } from '@jest/globals'
import { sequentialId } from '../../../src/recipes/numbers/naming.ts'

describe('sequentialIds', () => {
  test('sequentialId: past the last number it is refused, never given twice', () => {
    expect(sequentialId('/ids', '', 2 ** 31 - 1)).toBe('2147483647')
    expect(() => sequentialId('/ids', '', -(2 ** 31))).toThrow('all 2^31 - 1 have been given')
  })
})
