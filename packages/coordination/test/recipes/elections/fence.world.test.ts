import { describe, expect, test } from '@jest/globals'
import { sleep } from '@catchment/runtime'
import { acquireFence, ZooKeeperError, type Operation } from '../../../src/index.ts'
import { bytes, ending, inWorld, text, stretchedMs } from '../../world/world.ts'

describe('acquireFence', () => {
  const claim = (name: string) => (previous: Uint8Array | undefined) =>
    bytes(`${name} ${Number(text(previous)?.split(' ')[1] ?? 0) + 1}`)

  test.concurrent(
    'terms grow, and the transaction of a deposed leader fails with bad-version at the check',
    inWorld(async ({ session: open, root }) => {
      const [a, b] = [await open(), await open()]
      await a.session.create(`${root}/assignment`, bytes(''))
      const publish = (check: Operation, data: string): readonly Operation[] => [
        check,
        { op: 'set', path: `${root}/assignment`, data: bytes(data), version: 'any' },
      ]
      const first = await acquireFence(a.session, `${root}/leader`, claim('a'))
      expect({ version: first.version, claim: text(first.data) }).toEqual({ version: 0, claim: 'a 1' })
      await a.session.multi(publish(first.check, 'by a'))
      const second = await acquireFence(b.session, `${root}/leader`, claim('b'))
      expect({ version: second.version, claim: text(second.data) }).toEqual({ version: 1, claim: 'b 2' })
      await expect(a.session.multi(publish(first.check, 'by a, too late'))).rejects.toMatchObject({
        code: 'bad-version',
        operationIndex: 0,
      })
      await b.session.multi(publish(second.check, 'by b'))
      expect(text((await b.session.get(`${root}/assignment`)).data)).toBe('by b')
    }),
  )

  test.concurrent(
    'claimed by five at once: all get different versions, the last one holds',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const fences = await Promise.all(
        ['a', 'b', 'c', 'd', 'e'].map((name) => acquireFence(session, `${root}/leader`, claim(name))),
      )
      expect(new Set(fences.map(({ version }) => version)).size).toBe(5)
      const holds = await Promise.all(fences.map(({ check }) => ending(session.multi([check]))))
      expect(holds.filter((end) => end === 'done')).toHaveLength(1)
    }),
  )

  test.concurrent(
    'an answer that is lost: claimed again over its own claim',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
      await session.create(`${root}/leader`, bytes('z 1'))
      const fence = acquireFence(session, `${root}/leader`, (previous) => {
        if (text(previous) === 'z 1') network.weather = 'mute'
        return claim('a')(previous)
      })
      await reaches('suspended')
      network.weather = 'refusing'
      network.weather = 'through'
      expect(text((await fence).data)).toBe('a 3')
      expect(await ending(session.multi([(await fence).check]))).toBe('done')
    }),
  )

  test.concurrent(
    'aborted and timeout are unknown once a claim may have been written, and one deadline bounds all requests',
    inWorld(async ({ session: open, root, clock }) => {
      const { session } = await open()
      const path = `${root}/leader`
      const lost = new ZooKeeperError('connection-lost', 'the test lost it')
      const get = session.get.bind(session)
      const leaving = new AbortController()
      session.get = () => {
        setImmediate(() => {
          leaving.abort('why')
        })
        return Promise.reject(lost)
      }
      const left = acquireFence(session, path, claim('a'), { signal: leaving.signal })
      await expect(left).rejects.toMatchObject({ code: 'aborted', outcome: 'not-done', cause: 'why' })
      session.get = async (...call) => {
        await sleep(clock, 60)
        return get(...call)
      }
      expect(await ending(acquireFence(session, path, claim('a'), { timeoutMs: 50 }))).toBe('timeout not-done')
      expect(await session.exists(path)).toBeUndefined()
      session.get = get
      session.sync = () => Promise.reject(lost)
      const startedMs = clock.monotonicMs()
      expect(await ending(acquireFence(session, path, claim('a'), { timeoutMs: stretchedMs(400) }))).toMatch(
        / unknown$/,
      )
      expect(clock.monotonicMs() - startedMs).toBeLessThan(stretchedMs(1_000))
      expect(text((await get(path)).data)).toMatch(/^a /)
    }),
  )
})
