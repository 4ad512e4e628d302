// Stories of what must happen once, whatever is lost on the way.

import { expect } from '@jest/globals'
import type { FifoQueue, ZooKeeperSession } from '@catchment/coordination'
import { sequentialIds, sharedCounter } from '@catchment/coordination/recipes'
import { bytes, text } from '../../../packages/coordination/test/world/world.ts'
import type { Scene } from './scene.ts'

type TestedQueue = Pick<FifoQueue, 'take' | 'size'> & { readonly put: (data: Uint8Array) => Promise<unknown> }

/** The victim puts and takes; another has put before and takes too. */
export async function putsAndTakes(
  { path, open, prepare, strike }: Scene,
  queueOf: (session: ZooKeeperSession, path: string) => TestedQueue,
): Promise<void> {
  const [victim, other] = [await open(), await open()]
  const [own, others] = [queueOf(victim.session, path), queueOf(other.session, path)]
  await others.put(bytes('0'))
  await victim.session.sync(path)
  prepare()
  for (const item of ['1', '2', '3']) await own.put(bytes(item))
  await strike()
  const taken = [await own.take(), await others.take(), await own.take(), await others.take()]
  expect(taken.map(text)).toEqual(['0', '1', '2', '3'])
  expect(await others.size()).toBe(0)
  await victim.session.close() // receipts of puts whose answer was lost end with the session
}

export async function idsOnce({ path, open, prepare, strike }: Scene): Promise<void> {
  const [victim, other] = [await open(), await open()]
  const own = sequentialIds(victim.session, { path, prefix: 'job-' })
  const others = sequentialIds(other.session, { path, prefix: 'job-' })
  prepare()
  const ids = [await own.next(), await others.next()]
  await strike()
  ids.push(await others.next(), await own.next())
  expect(new Set(ids).size).toBe(4)
  expect(ids).toEqual([...ids].sort())
}

export async function addsOnce({ path, open, prepare, strike }: Scene): Promise<void> {
  const [victim, other] = [await open(), await open()]
  const own = sharedCounter(victim.session, { path })
  const others = sharedCounter(other.session, { path })
  prepare()
  expect((await own.add(1n)).value).toBe(1n)
  await strike()
  expect((await others.add(10n)).value).toBe(11n)
  expect((await own.add(100n)).value).toBe(111n)
}
