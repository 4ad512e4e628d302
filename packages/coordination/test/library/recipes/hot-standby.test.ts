import { describe, expect, test } from '@jest/globals'
import { hotStandbyTransitions } from '../../../src/recipes/standby/hot-standby.ts'

describe('joinHotStandby', () => {
  test('hotStandbyTransitions: left is for good, and every state can be reached', () => {
    expect(hotStandbyTransitions.left).toEqual([])
    const reached = new Set(Object.values(hotStandbyTransitions).flat())
    expect([...reached].sort()).toEqual(Object.keys(hotStandbyTransitions).sort())
  })
})
