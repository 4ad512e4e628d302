import { describe, expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import type { CallOptions, WatchEvent, ZooKeeperSession } from '../../src/session/contract/session.ts'
import { bytes, ending, inWorld, Heard, stretchedMs } from '../world/world.ts'

// One after the other: they wait for the processor, not for time.

const anonymous = (): void => undefined

/** Every call that can wait. */
function everyCall(session: ZooKeeperSession, path: string): ((options: CallOptions) => Promise<unknown>)[] {
  return [
    (options) => session.create(path, bytes(''), 'persistent', options),
    (options) => session.createWithStat(path, bytes(''), 'persistent', options),
    (options) => session.get(path, options),
    (options) => session.get(path, { ...options, watch: anonymous }),
    (options) => session.set(path, bytes(''), 'any', options),
    (options) => session.delete(path, 'any', options),
    (options) => session.exists(path, options),
    (options) => session.children(path, options),
    (options) => session.descendantCount(path, options),
    (options) => session.ephemerals(path, options),
    (options) => session.sync(path, options),
    (options) => session.multi([{ op: 'delete', path, version: 'any' }], options),
    (options) => session.multiRead([{ op: 'get', path }], options),
    (options) => session.ensurePath(path, options),
    (options) => session.deleteTree(path, options),
    (options) => session.addWatch(path, anonymous, options),
    (options) => session.getAcl(path, options),
    (options) => session.setAcl(path, [], 'any', options),
    (options) => session.addAuth({ scheme: 'digest', proof: 'a:b' }, options),
    (options) => session.whoAmI(options),
  ]
}

describe('every call', () => {
  test(
    'ends by its signal, its deadline, a generation that is over, and close; before it was sent, and waiting',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const calls = everyCall(session, `${root}/x`)
      const all = (options: CallOptions): Promise<Set<string>> =>
        Promise.all(calls.map((call) => ending(call(options)))).then((endings) => new Set(endings))
      expect(await all({ signal: AbortSignal.abort() })).toEqual(new Set(['aborted not-done']))
      expect(await all({ timeoutMs: 0 })).toEqual(new Set(['timeout not-done']))
      expect(await all({ generation: 2 })).toEqual(new Set(['session-lost not-done']))
      network.weather = 'refusing'
      await reaches('suspended')
      const abort = new AbortController()
      const aborted = all({ signal: abort.signal })
      abort.abort()
      expect(await aborted).toEqual(new Set(['aborted not-done']))
      expect(await all({ timeoutMs: 20 })).toEqual(new Set(['timeout not-done']))
      const waiting = all({})
      await session.close()
      expect(await waiting).toEqual(new Set(['closed not-done']))
      expect(await all({})).toEqual(new Set(['closed not-done']))
    }),
  )

  test(
    'ends by its signal and its deadline when it was sent: writes are unknown then',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const calls = everyCall(session, `${root}/x`)
      network.weather = 'stalled'
      const abort = new AbortController()
      const aborted = calls.map((call) => ending(call({ signal: abort.signal })))
      await new Promise((resolve) => setImmediate(resolve))
      abort.abort()
      const timed = calls.map((call) => ending(call({ timeoutMs: 20 })))
      const writes = new Set([0, 1, 4, 5, 11, 17, 18])
      const expected = (code: string): string[] =>
        calls.map((_, index) => `${code} ${writes.has(index) ? 'unknown' : 'not-done'}`)
      expect(await Promise.all(aborted)).toEqual(expected('aborted'))
      expect(await Promise.all(timed)).toEqual(expected('timeout'))
      network.weather = 'through'
    }),
  )

  test(
    'is sent once: an answer that is lost leaves it done and `unknown`, a lost request undone',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open()
      const after = network.cutAfter('create')
      const done = ending(session.create(`${root}/s-`, bytes(''), 'persistent-sequential'))
      await after
      expect(await done).toBe('connection-lost unknown')
      await reaches('connected')
      const before = network.cutBefore('create')
      const undone = ending(session.create(`${root}/s-`, bytes(''), 'persistent-sequential'))
      await before
      expect(await undone).toBe('connection-lost unknown') // no one can distinguish them
      await reaches('connected')
      await session.sync(root)
      expect((await session.children(root)).names).toEqual(['s-0000000000'])
    }),
  )
})

describe('limits', () => {
  test(
    '100,000 calls may wait, the next is overloaded; all end',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 30_000 })
      network.weather = 'refusing'
      await reaches('suspended')
      const endings = new Map<string, number>()
      const calls = Array.from({ length: 100_000 }, async () => {
        const end = await ending(session.get(root))
        endings.set(end, (endings.get(end) ?? 0) + 1)
      })
      expect(await ending(session.get(root))).toBe('overloaded not-done')
      expect(await ending(session.get(root))).toBe('overloaded not-done')
      await session.close()
      await Promise.all(calls)
      expect([...endings]).toEqual([['closed not-done', 100_000]])
    }),
  )

  test(
    '64 MiB may wait, what is more is overloaded; what waited is sent',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 30_000 })
      await session.create(`${root}/n`, bytes(''))
      network.weather = 'refusing'
      await reaches('suspended')
      const data = new Uint8Array(1_040_000)
      const calls = Array.from({ length: 80 }, () => ending(session.set(`${root}/n`, data, 7)))
      expect(await Promise.all(calls.slice(64))).toEqual(Array.from({ length: 16 }, () => 'overloaded not-done'))
      network.weather = 'through'
      expect(new Set(await Promise.all(calls.slice(0, 64)))).toEqual(new Set(['bad-version not-done']))
    }),
  )

  test(
    'watchesMax watches, the next is overloaded; one that is reported makes room',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open({ watchesMax: 2 })
      const heard = new Heard<WatchEvent>()
      await session.get(root, { watch: heard.hear })
      const stays = await session.addWatch(`${root}/x`, anonymous)
      expect(await ending(session.exists(root, { watch: anonymous }))).toBe('overloaded not-done')
      expect(await ending(session.addWatch(root, anonymous))).toBe('overloaded not-done')
      expect(await session.exists(root)).toBeDefined()
      await session.set(root, bytes('x'), 'any')
      await session.exists(root, { watch: anonymous })
      await stays.remove()
      await session.children(root, { watch: anonymous })
    }),
  )

  const many = full ? 60_000 : 6_000
  test(
    `${many} watches are restored on a new connection, and report what they missed`,
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 30_000 })
      const other = (await open()).session
      const heard = new Heard<string>()
      const watch = ({ path }: WatchEvent): void => {
        heard.hear(path)
      }
      await Promise.all(
        Array.from({ length: many }, (_, index) => session.exists(`${root}/some-longer-name-${index}`, { watch })),
      )
      network.weather = 'refusing'
      await reaches('suspended')
      const missed = [0, many / 2, many - 1].map((index) => `${root}/some-longer-name-${index}`)
      for (const path of missed) await other.create(path, bytes(''))
      network.weather = 'through'
      await reaches('connected')
      const last = `${root}/some-longer-name-1`
      await session.sync(root)
      await other.create(last, bytes(''))
      await heard.first((path) => path === last)
      expect([...heard.all].sort()).toEqual([...missed, last].sort())
    }),
    120_000,
  )
})

describe('close', () => {
  test(
    'gives up reporting the server as soon as its signal aborts, or by its deadline',
    inWorld(async ({ session: open, clock }) => {
      const [one, other] = [await open({ sessionTimeoutMs: 30_000 }), await open({ sessionTimeoutMs: 30_000 })]
      for (const { network } of [one, other]) network.weather = 'stalled'
      const startedMs = clock.monotonicMs()
      const abort = new AbortController()
      const closed = one.session.close({ signal: abort.signal })
      const again = one.session.close()
      abort.abort()
      await Promise.all([closed, again])
      await other.session.close({ timeoutMs: 10 })
      expect(clock.monotonicMs() - startedMs).toBeLessThan(stretchedMs(900))
      expect([one.states, other.states]).toEqual([['closed'], ['closed']])
    }),
  )
})
