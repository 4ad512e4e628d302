import { expect, test } from '@jest/globals'
import { inOrder } from '../../../src/recipes/queue/queue-items.ts'

test('inOrder sorts across the wrap of sequence numbers, and leaves foreign names out', () => {
  const id = '0123456789abcdef'
  const names = ['-2147483648', '2147483647', '-2147483647', '2147483646'].map((sequence) => `000-${id}-${sequence}`)
  expect(inOrder([...names, 'stranger'])).toEqual([names[3], names[1], names[0], names[2]])
})
