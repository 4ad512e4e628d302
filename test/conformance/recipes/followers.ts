import { expect } from '@jest/globals'
import type { ZooKeeperSession } from '@catchment/coordination'
import { bytes, Heard } from '../../../packages/coordination/test/world/world.ts'
import type { Recipe } from './scene.ts'

/** The story of a follower of something that only grows: 0, 1, 2, … It misses nothing for good and never goes back. */
export function followsTo(of: {
  readonly follow: (
    session: ZooKeeperSession,
    path: string,
    hear: (count: number) => void,
  ) => { readonly stale: boolean; close(): Promise<void> }
  /** Makes `count` of `count - 1`; may give back what undoes it after the story. */
  readonly change: (
    session: ZooKeeperSession,
    path: string,
    count: number,
  ) => Promise<(() => Promise<void>) | undefined>
}): Recipe {
  return async ({ path, open, prepare, strike, eventually }) => {
    const [victim, writer] = [await open(), await open()]
    await writer.session.create(path, bytes('0'))
    const heard = new Heard<number>()
    const undo: (() => Promise<void>)[] = []
    const changes = async (...counts: readonly number[]): Promise<void> => {
      for (const count of counts) undo.push((await of.change(writer.session, path, count)) ?? (() => Promise.resolve()))
    }
    prepare()
    const followed = of.follow(victim.session, path, heard.hear)
    await heard.first((count) => count === 0)
    await changes(1, 2, 3)
    await heard.first((count) => count === 3)
    const suffering = strike()
    await changes(4, 5, 6)
    await suffering
    await heard.first((count) => count === 6)
    await changes(7)
    await heard.first((count) => count === 7)
    expect(heard.last).toBe(7)
    await eventually('the end of staleness to be reported', () => !followed.stale)
    expect(heard.all).toEqual([...heard.all].sort((one, other) => one - other))
    await followed.close()
    for (const step of undo) await step()
  }
}
