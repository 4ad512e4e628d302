import { describe, expect, test } from '@jest/globals'
import { realRandom, sleep } from '@catchment/runtime'
import { openSession } from '../../src/session/live-session.ts'
import type { WatchEvent } from '../../src/session/contract/session.ts'
import { bytes, ending, inRealWorld, inWorld, text, Heard, stretchedMs } from '../world/world.ts'

describe('operations', () => {
  test.concurrent(
    'create, get, set, exists, children, delete: stats in plain numbers, versions guard',
    inWorld(async ({ session: open, root, clock }) => {
      const { session } = await open()
      expect(await session.create(`${root}/a`, bytes('one'))).toBe(`${root}/a`)
      const { data, stat } = await session.get(`${root}/a`)
      expect(text(data)).toBe('one')
      expect(stat).toMatchObject({ version: 0, dataLength: 3, numChildren: 0, ephemeralOwner: undefined })
      expect(Math.abs(stat.ctimeMs - clock.now())).toBeLessThan(60_000)
      expect((await session.set(`${root}/a`, bytes('two'), 0)).version).toBe(1)
      expect(await ending(session.set(`${root}/a`, bytes('three'), 0))).toBe('bad-version not-done')
      await session.create(`${root}/a/e`, bytes(''), 'ephemeral')
      expect((await session.exists(`${root}/a/e`))?.ephemeralOwner).toBe(session.sessionId)
      expect(await session.create(`${root}/a/s-`, bytes(''), 'ephemeral-sequential')).toMatch(/s-\d{10}$/)
      expect((await session.children(`${root}/a`)).names).toHaveLength(2)
      expect(await ending(session.delete(`${root}/a`, 'any'))).toBe('not-empty not-done')
      expect(await ending(session.create(`${root}/a/e/x`, bytes('')))).toBe('no-children-for-ephemerals not-done')
      expect(await ending(session.create(`${root}/a`, bytes('')))).toBe('node-exists not-done')
      expect(await ending(session.get(`${root}/none`))).toBe('no-node not-done')
      expect(await session.exists(`${root}/none`)).toBeUndefined()
      expect(await ending(session.get('relative/path'))).toBe('bad-arguments not-done')
      await session.sync(root)
      await session.ensurePath(`${root}/b/c/d`)
      await session.ensurePath(`${root}/b/c/d`)
      await session.delete(`${root}/b/c/d`, 0)
      expect(await session.exists(`${root}/b/c/d`)).toBeUndefined()
    }),
  )

  test.concurrent(
    'multi: all or nothing, a check at version 0 guards, the error names the operation',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      await session.create(`${root}/fence`, bytes('0'))
      await session.create(`${root}/list`, bytes('old'))
      const publish = (version: number): Promise<unknown> =>
        session.multi([
          { op: 'set', path: `${root}/list`, data: bytes('new'), version: 'any' },
          { op: 'check', path: `${root}/fence`, version },
          { op: 'create', path: `${root}/entry`, data: bytes('') },
        ])
      await session.set(`${root}/fence`, bytes('1'), 0)
      await expect(publish(0)).rejects.toMatchObject({ code: 'bad-version', operationIndex: 1, outcome: 'not-done' })
      expect(text((await session.get(`${root}/list`)).data)).toBe('old')
      await publish(1)
      expect(text((await session.get(`${root}/list`)).data)).toBe('new')
      await expect(publish(1)).rejects.toMatchObject({ code: 'node-exists', operationIndex: 2 })
      await session.multi([{ op: 'delete', path: `${root}/entry`, version: 0 }])
      await expect(
        session.multi([{ op: 'set', path: `${root}/list`, data: bytes('x'), version: 0 }]),
      ).rejects.toMatchObject({ code: 'bad-version', operationIndex: 0 })
    }),
  )

  test.concurrent(
    'too large: refused before sending, the connection stays, what is just below passes',
    inWorld(async ({ session: open, root }) => {
      const { session, states } = await open()
      expect(await ending(session.create(`${root}/big`, new Uint8Array(1_048_000)))).toBe('too-large not-done')
      await session.create(`${root}/big`, new Uint8Array(1_047_000))
      expect((await session.get(`${root}/big`)).data).toHaveLength(1_047_000)
      expect(states).toEqual([])
    }),
  )

  test.concurrent(
    'a call ends by its signal, by its deadline, and a generation that is not the current',
    inWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      expect(await ending(session.get(root, { signal: AbortSignal.abort() }))).toBe('aborted not-done')
      expect(await ending(session.get(root, { generation: 7 }))).toBe('session-lost not-done')
      network.weather = 'stalled'
      const abort = new AbortController()
      const aborted = ending(session.set(root, bytes('x'), 'any', { signal: abort.signal }))
      abort.abort()
      expect(await aborted).toBe('aborted unknown')
      expect(await ending(session.set(root, bytes('x'), 'any', { timeoutMs: 20 }))).toBe('timeout unknown')
      expect(await ending(session.get(root, { timeoutMs: 20 }))).toBe('timeout not-done')
      network.weather = 'through'
      expect(await ending(session.set(root, bytes('x'), -1))).toBe('bad-arguments not-done')
      expect(await ending(session.set(root, bytes('x'), 2 ** 31))).toBe('bad-arguments not-done')
    }),
  )

  test.concurrent(
    'pipelining: 3,000 calls at once are answered in order',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const answered: number[] = []
      await Promise.all(
        Array.from({ length: 3_000 }, async (_, index) => {
          await session.exists(root)
          answered.push(index)
        }),
      )
      expect(answered).toEqual([...answered].sort((one, other) => one - other))
    }),
  )
})

describe('states', () => {
  test.concurrent(
    'a dropped connection: suspended, connected again as the same session, ephemerals and watches kept',
    inWorld(async ({ session: open, root }) => {
      const { session, network, states, reaches } = await open()
      const other = await open()
      const events = new Heard<WatchEvent>()
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.create(`${root}/p`, bytes(''))
      await session.get(`${root}/p`, { watch: events.hear })
      await session.exists(`${root}/absent`, { watch: events.hear })
      await session.children(root, { watch: events.hear })
      const { sessionId, generation } = session
      network.weather = 'refusing'
      await reaches('suspended')
      const waiting = session.get(`${root}/p`)
      await other.session.set(`${root}/p`, bytes('changed meanwhile'), 0)
      await other.session.create(`${root}/absent`, bytes(''))
      network.weather = 'through'
      await reaches('connected')
      expect(text((await waiting).data)).toBe('changed meanwhile')
      await events.first(({ type, path }) => type === 'changed' && path === `${root}/p`)
      await events.first(({ type, path }) => type === 'created' && path === `${root}/absent`)
      await events.first(({ type, path }) => type === 'children-changed' && path === root)
      expect(events.all).toHaveLength(3)
      expect(await session.exists(`${root}/e`)).toBeDefined()
      expect({ sessionId: session.sessionId, generation: session.generation }).toEqual({ sessionId, generation })
      expect(states).toEqual(['suspended', 'connected'])
    }),
  )

  test.concurrent(
    'a silent partition: suspended, then lost within the session timeout; calls in flight end typed; then a new session',
    inWorld(async ({ session: open, root, clock }) => {
      const { session, network, states, reaches } = await open({ sessionTimeoutMs: 1_000 })
      const watch = new Heard<WatchEvent>()
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.get(`${root}/e`, { watch: watch.hear })
      const startedMs = clock.monotonicMs()
      network.weather = 'stalled'
      const write = ending(session.set(root, bytes('x'), 'any'))
      const read = ending(session.get(root))
      await reaches('suspended')
      const waits = ending(session.get(root))
      expect(await write).toBe('connection-lost unknown')
      expect(await read).toBe('connection-lost not-done')
      await reaches('lost')
      expect(clock.monotonicMs() - startedMs).toBeLessThan(stretchedMs(1_500))
      expect(await waits).toBe('session-lost not-done')
      expect(await watch.first(() => true)).toEqual({ type: 'session-lost', path: `${root}/e` })
      expect(session.sessionId).toBeUndefined()
      network.weather = 'refusing'
      network.weather = 'through'
      await reaches('connected')
      expect(session.generation).toBe(2)
      expect(states).toEqual(['suspended', 'lost', 'connected'])
      await session.sync(root)
      expect(await session.exists(`${root}/e`)).toBeUndefined()
    }),
  )

  test.concurrent(
    'answers that are dropped (a half-open network) are found too',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches } = await open({ sessionTimeoutMs: 1_000 })
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      network.weather = 'mute'
      const write = ending(session.create(`${root}/done`, bytes('')))
      await reaches('suspended')
      expect(await write).toBe('connection-lost unknown')
      await reaches('lost') // here; there every attempt to reconnect arrived and kept it alive
      network.weather = 'refusing'
      network.weather = 'through'
      await reaches('connected')
      expect(await session.exists(`${root}/done`)).toBeDefined()
      expect(await session.exists(`${root}/e`)).toBeUndefined() // the abandoned session was closed on the way
    }),
  )

  test.concurrent(
    'the server expires the session: lost, and a new session without being reported twice',
    inWorld(async ({ session: open, expire, root }) => {
      const client = await open()
      const { session, states, reaches } = client
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await expire(client)
      await reaches('lost')
      await reaches('connected')
      expect(states).toEqual(['suspended', 'lost', 'connected'])
      expect(await session.exists(`${root}/e`)).toBeUndefined()
    }),
  )

  test.concurrent(
    'half a packet before a cut, and garbage, end the connection and nothing else',
    inWorld(async ({ session: open, root }) => {
      const { session, network, reaches, states } = await open()
      network.inject(Uint8Array.of(0, 0, 0, 99, 1, 2, 3))
      await reaches('suspended')
      await reaches('connected')
      await session.get(root)
      network.inject(bytes('HTTP/1.1 400 Bad Request\r\n\r\n'))
      await reaches('suspended')
      await reaches('connected')
      await session.get(root)
      const unknownEventAndNoReply = Buffer.alloc(40, 0xff)
      unknownEventAndNoReply.writeInt32BE(36, 0)
      network.inject(unknownEventAndNoReply)
      await reaches('suspended')
      await reaches('connected')
      await session.get(root)
      expect(session.generation).toBe(1)
      expect(states).toHaveLength(6)
    }),
  )

  test.concurrent(
    'pings keep an idle session and one that only hears',
    inWorld(async ({ session: open, root, clock }) => {
      const idle = await open({ sessionTimeoutMs: 1_000 })
      const { session, states } = await open({ sessionTimeoutMs: 1_000 })
      const other = await open()
      const heard = new Heard<number>()
      const startedMs = clock.monotonicMs()
      const listen = async (): Promise<void> => {
        await session.get(root, {
          watch: () => {
            heard.hear(clock.monotonicMs() - startedMs)
            listen().catch(() => undefined)
          },
        })
      }
      await listen()
      const endMs = stretchedMs(2_000)
      while (clock.monotonicMs() - startedMs < endMs) {
        await other.session.set(root, bytes('x'), 'any')
        await sleep(clock, endMs / 200)
      }
      await heard.first((afterMs) => afterMs > 0.95 * endMs)
      expect([states, idle.states]).toEqual([[], []])
    }),
  )
})

describe('openSession and close', () => {
  test.concurrent(
    'options that are undefined are left out',
    // real for our own server too: it is the real clock and socket that stand in for what is left out
    inRealWorld(async ({ session: open, root }) => {
      const { network } = await open()
      const left = { clock: undefined, random: undefined, log: undefined, connect: undefined, auth: undefined }
      const session = await openSession({
        ...left,
        ...{ servers: network.address, sessionTimeoutMs: 5_000, connectTimeoutMs: undefined, watchesMax: undefined },
      })
      const limits = { timeoutMs: undefined, signal: undefined, generation: undefined }
      await session.create(`${root}/x`, bytes(''), undefined, { ...limits, acl: undefined, ttlMs: undefined })
      expect(await session.exists(`${root}/x`, { ...limits, watch: undefined })).toBeDefined()
      const watch = await session.addWatch(`${root}/x`, () => undefined, { ...limits, recursive: undefined })
      await watch.remove(limits)
      await session.deleteTree(`${root}/x`, limits)
      await session.close(limits)
    }),
  )

  test.concurrent(
    'openSession passes over a server that accepts and stays silent',
    inWorld(async ({ session: open, place }) => {
      const silent = await open()
      const good = await open()
      silent.network.weather = 'stalled'
      const session = await openSession({
        ...place,
        sessionTimeoutMs: 1_000,
        servers: `${silent.network.address},${good.network.address}`,
        random: { ...realRandom, float: () => 0 },
      })
      expect(session.state).toBe('connected')
      await session.close()
      silent.network.weather = 'through'
    }),
  )

  test.concurrent(
    'close ends ephemerals at once, twice is once, and calls after it are refused',
    inWorld(async ({ session: open, root }) => {
      const { session, states } = await open()
      const other = await open()
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await Promise.all([session.close(), session.close()])
      await session.close()
      expect(states).toEqual(['closed'])
      expect(await other.session.exists(`${root}/e`)).toBeUndefined()
      expect(await ending(session.get(root))).toBe('closed not-done')
    }),
  )

  test.concurrent(
    'close: closed before a server can have ended it, whenever its answer comes; listeners may call anything',
    inWorld(async ({ session: open, root }) => {
      const { session, network, states } = await open()
      const other = await open()
      const seen: unknown[] = []
      const calls: Promise<unknown>[] = []
      session.onState(() => {
        calls.push(ending(session.get(root)), session.close())
      })
      const gone = new Heard<WatchEvent>()
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.exists(`${root}/e`, { watch: (event) => seen.push(event) })
      await other.session.exists(`${root}/e`, { watch: gone.hear })
      network.weather = 'mute' // the server is notified, its answer does not come
      const given = new AbortController()
      const closing = session.close({ signal: given.signal, timeoutMs: 5_000 })
      await gone.first(({ type }) => type === 'deleted')
      expect([session.state, session.sessionId, ...states]).toEqual(['closed', undefined, 'closed'])
      given.abort()
      await closing
      expect(await Promise.all(calls)).toEqual(['closed not-done', undefined])
      expect(seen).toEqual([])
    }),
  )

  test.concurrent(
    'close: what happens to its watches by the close itself is not reported',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const heard: WatchEvent[] = []
      await session.create(`${root}/e`, bytes(''), 'ephemeral')
      await session.addWatch(`${root}/e`, (event) => heard.push(event))
      await session.close()
      expect(heard).toEqual([])
    }),
  )

  test.concurrent(
    'close returns in a silent partition and without a server',
    inWorld(async ({ session: open, root }) => {
      const stalled = await open({ sessionTimeoutMs: 1_000 })
      const cut = await open()
      stalled.network.weather = 'stalled'
      const flying = ending(stalled.session.get(root))
      await stalled.session.close()
      expect(await flying).toBe('connection-lost not-done')
      cut.network.weather = 'refusing'
      await cut.reaches('suspended')
      const waiting = ending(cut.session.get(root))
      await cut.session.close()
      expect(await waiting).toBe('closed not-done')
    }),
  )
})
