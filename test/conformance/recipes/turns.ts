import { expect } from '@jest/globals'
import type { Hold, ZooKeeperSession } from '@catchment/coordination'
import type { Client } from '../../../packages/coordination/test/world/world.ts'
import type { Recipe } from './scene.ts'

/** One who stands for what only one may hold. */
export interface Holder {
  readonly held: () => boolean
  readonly token: () => bigint | undefined
  readonly leave: () => Promise<unknown>
  /** Whether it stands again by itself after its session was lost. */
  readonly comesBack?: boolean
  /** Whether anyone may be next, in no order of standing. */
  readonly anyTurn?: boolean
}

/** A holder made of an acquisition under way. */
export function holder(acquired: Promise<Hold>): Holder {
  let hold: Hold | undefined
  acquired.then(
    (got) => (hold = got),
    () => undefined, // leave() rejects with it
  )
  return {
    held: () => hold?.held ?? false,
    token: () => hold?.token,
    leave: async () => (await acquired).release(),
  }
}

/**
 * The story of what only one may hold: a, b and c stand one after the other. a holds and suffers; if its session is over the
 * next one holds, otherwise a holds again. Then each leaves in turn. Never do two hold, and tokens only grow.
 */
export function takesTurns(join: (session: ZooKeeperSession, path: string, id: string) => Holder): Recipe {
  return async ({ path, open, prepare, strike, endsSession, eventually }) => {
    const [a, b, c] = [await open(), await open(), await open()]
    const holders: Holder[] = []
    const tokens: bigint[] = []
    const holding = async (wanted: (holder: Holder) => boolean): Promise<Holder> =>
      eventually('one to hold', () => {
        const now = holders.filter(({ held }) => held())
        expect(now.length).toBeLessThanOrEqual(1)
        return now.find(wanted)
      })
    const stand = ({ session }: Client, id: string): Holder => {
      const one = join(session, path, id)
      holders.push(one)
      return one
    }
    prepare()
    const first = stand(a, 'a')
    await holding((one) => one === first)
    stand(b, 'b')
    stand(c, 'c')
    await strike()
    const lost = endsSession ? holders.splice(0, first.comesBack === true ? 0 : 1) : []
    await holding((one) => one.anyTurn === true || (one === first) !== endsSession)
    expect(lost.filter(({ held }) => held())).toEqual([])
    await Promise.all(lost.map(({ leave }) => leave()))
    while (holders.length > 0) {
      const one = await holding(() => true)
      const token = one.token()
      if (token !== undefined) tokens.push(token)
      await one.leave()
      expect(one.held()).toBe(false)
      holders.splice(holders.indexOf(one), 1)
    }
    expect(tokens).toEqual([...new Set(tokens)].sort((one, other) => Number(one - other)))
  }
}
