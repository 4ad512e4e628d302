import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { inOrder } from '../../../src/line/line.ts'
import { decideShared } from '../../../src/recipes/lock/shared-lock.ts'

const lineOf = (modes: readonly string[]): string[] =>
  inOrder(modes.map((mode, place) => `0123456789abcdef-${mode}-${String(place).padStart(10, '0')}`))

describe('decideShared', () => {
  const modes = fc.array(fc.constantFrom('read', 'write'), { minLength: 1, maxLength: 30 })

  test('one writer at the front holds alone, else the readers before the first writer; absent is never holding', () => {
    fc.assert(
      fc.property(modes, (drawn) => {
        const line = lineOf(drawn)
        const holding = line.filter((own) => decideShared(line, own) === 'holds')
        const firstWriter = drawn.indexOf('write')
        const expected = firstWriter < 0 ? line.length : Math.max(firstWriter, 1)
        expect(holding).toEqual(line.slice(0, expected))
        expect(decideShared(line.slice(1), line[0] ?? '')).toBe('absent')
      }),
    )
  })

  test('everyone waits for one before it; a reader who leaves wakes one writer at most, a writer no one after the next', () => {
    fc.assert(
      fc.property(modes, (drawn) => {
        const line = lineOf(drawn)
        for (const [place, leaving] of line.entries()) {
          const woken = line.filter((own) => {
            const decision = decideShared(line, own)
            return typeof decision === 'object' && decision.waitsFor === leaving
          })
          const wokenModes = woken.map((own) => drawn[line.indexOf(own)])
          expect(woken.every((own) => line.indexOf(own) > place)).toBe(true)
          expect(wokenModes.filter((mode) => mode === 'write').length).toBeLessThanOrEqual(1)
          if (drawn[place] === 'read') expect(wokenModes).not.toContain('read')
          const next = drawn.indexOf('write', place + 1)
          if (next >= 0) expect(woken.every((own) => line.indexOf(own) <= next)).toBe(true)
        }
      }),
    )
  })
})
