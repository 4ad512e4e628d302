// What servers and networks do to a client, reported by a server that follows a script. Nothing of it may end the process, leave
// a call unanswered, or let anybody believe more than is true.

import { expect, test } from '@jest/globals'
import type { Clock, Timer } from '@catchment/runtime'
import { ping, Requests, type Request } from '../../src/session/requests/requests.ts'
import type { SessionState } from '../../src/session/contract/session.ts'
import { opcode } from '@catchment/zookeeper-wire'
import { Connection, xidMax } from '../../src/session/connection/zookeeper.ts'
import { scripted, type Asked } from '../world/scripted-server.ts'
import { ownServers, type Servers } from '../world/servers.ts'
import { bytes, ending, Heard } from '../world/world.ts'

/** Time that can jump ahead of its timers: what a process sees that was stopped for a while. */
class JumpingClock implements Clock {
  #aheadMs = 0
  readonly #clock: Clock
  readonly after = (delayMs: number, fire: () => void): Timer => this.#clock.after(delayMs, fire)
  readonly now = (): number => this.#clock.now()
  readonly monotonicMs = (): number => this.#clock.monotonicMs() + this.#aheadMs

  constructor(clock: Clock) {
    this.#clock = clock
  }

  jump(byMs: number): void {
    this.#aheadMs += byMs
  }
}

test(
  'error codes that no library knows are typed errors, and the connection goes on',
  scripted(async ({ server, open }) => {
    const session = await open()
    const codes = [-125, -127, -118, -9999, -4, -101]
    server.onRequest = ({ type, answer }) => {
      answer(type === opcode.setData ? (codes.shift() ?? 0) : 0)
    }
    const endings: string[] = []
    while (codes.length > 0) endings.push(await ending(session.set('/a', bytes(''), 'any')))
    expect(endings).toEqual([
      'quota-exceeded not-done',
      'throttled not-done',
      'session-moved not-done',
      'server-error unknown',
      'connection-lost unknown',
      'no-node not-done',
    ])
    expect(server.connections).toHaveLength(1)
  }),
)

test(
  'an answer that ends too early is a server-error of that call, and the next call is answered',
  scripted(async ({ server, open }) => {
    const session = await open()
    server.onRequest = ({ type, answer }) => {
      answer(0, type === opcode.getData ? (writer) => writer.int(1_000) : undefined)
    }
    expect(await ending(session.get('/a'))).toBe('server-error unknown')
    expect(await ending(session.sync('/'))).toBe('done')
    expect(server.connections).toHaveLength(1)
  }),
)

test(
  'an answer to nothing that was asked, or out of order, ends the connection and nothing else',
  scripted(async ({ server, open }) => {
    const session = await open()
    const states: SessionState[] = []
    session.onState((state) => states.push(state))
    const held: Asked[] = []
    server.onRequest = (asked) => {
      held.push(asked)
      if (held.length === 2) asked.answer(0)
    }
    const both = [session.sync('/'), session.set('/', bytes(''), 'any')].map(ending)
    expect(await Promise.all(both)).toEqual(['connection-lost not-done', 'connection-lost unknown'])
    server.onRequest = ({ answer }) => {
      answer(0)
    }
    expect(await ending(session.sync('/'))).toBe('done')
    expect(states).toEqual(['suspended', 'connected'])
  }),
)

test(
  'a server that goes silent, or takes connections and stays silent: the next one is asked, in the same session',
  scripted(async ({ server, second, open }) => {
    for (const one of [server, second])
      one.onHandshake = (grant) => {
        grant(900)
      }
    const session = await open({ servers: `${server.address},${second.address}`, sessionTimeoutMs: 900 })
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    server.deaf = true
    await states.first((state) => state === 'connected')
    expect([server.connections.length, second.connections.length]).toEqual([1, 1])
    second.hangUp()
    await states.first(() => states.all.length === 4)
    expect([server.connections.length, second.connections.length]).toEqual([2, 2])
    expect(session.generation).toBe(1)
    expect(states.all).toEqual(['suspended', 'connected', 'suspended', 'connected'])
  }),
)

test(
  'calls that wait are sent after a reconnect, also after more restored watches than calls may be in flight',
  scripted(async ({ server, open }) => {
    server.onRequest = ({ type, answer }) => {
      answer(type === opcode.exists ? -101 : 0)
    }
    const session = await open()
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    const name = 'n'.repeat(1_000_000)
    for (let index = 0; index < 18; index += 1) await session.exists(`/${name}${index}`, { watch: () => undefined })
    server.hangUp()
    await states.first((state) => state === 'suspended')
    expect(await ending(session.sync('/', { timeoutMs: 3_000 }))).toBe('done')
    expect(server.connections.at(-1)).toHaveLength(19)
  }),
)

test(
  'calls that wait for those in flight outlive their connection: only what was sent ends with it',
  scripted(async ({ server, open }) => {
    const session = await open()
    server.deaf = true
    const calls = Array.from({ length: 1_500 }, () => ending(session.sync('/')))
    await new Promise((resolve) => setImmediate(resolve))
    server.hangUp()
    server.deaf = false
    const endings = await Promise.all(calls)
    expect(endings.slice(0, 1_000)).toEqual(endings.slice(0, 1_000).map(() => 'connection-lost not-done'))
    expect(endings.slice(1_000)).toEqual(endings.slice(1_000).map(() => 'done'))
  }),
)

test(
  'the last transaction that was seen is never one that an answer does not name',
  scripted(async ({ server, open }) => {
    const session = await open()
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    for (const zxid of [7n, 0n, -1n]) {
      server.zxid = zxid
      await session.sync('/')
    }
    server.hangUp()
    await states.first((state) => state === 'connected')
    expect(server.seen).toEqual([0n, 7n])
  }),
)

test(
  'a process that was stopped: the state says so at once, `lost` is reported, and the answers that waited are lost',
  scripted(async ({ server, open, clock: given }) => {
    const clock = new JumpingClock(given)
    const session = await open({ clock })
    const held: Asked[] = []
    server.onRequest = (asked) => held.push(asked)
    const story: string[] = []
    session.onState((state) => story.push(state))
    const create = ending(session.create('/e', bytes(''), 'ephemeral')).then((end) => {
      story.push(`${end}, ${session.state}`)
    })
    const watching = ending(session.addWatch('/x', ({ type }) => story.push(`x ${type}`)))
    const reading = ending(session.get('/y', { watch: ({ type }) => story.push(`y ${type}`) }))
    while (held.length < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(session.state).toBe('connected')
    clock.jump(10_000)
    expect(session.state).toBe('suspended')
    held[0]?.answer(0, (writer) => writer.string('/e'))
    held[1]?.answer(0)
    await create
    expect(story).toEqual(['suspended', 'lost', 'connection-lost unknown, lost'])
    expect([await watching, await reading]).toEqual(['connection-lost not-done', 'connection-lost not-done'])
  }),
)

test(
  'a process that was stopped: an answer that waited makes no watch that no one would ever report',
  scripted(async ({ server, open, clock: given }) => {
    const clock = new JumpingClock(given)
    const session = await open({ clock })
    server.onRequest = ({ answer }) => {
      clock.jump(10_000)
      answer(0)
    }
    const heard: string[] = []
    expect(await ending(session.addWatch('/x', ({ type }) => heard.push(type)))).toBe('connection-lost not-done')
    server.onRequest = ({ answer }) => {
      answer(0)
    }
    await session.sync('/')
    expect([session.generation, session.state, ...heard]).toEqual([2, 'connected'])
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    server.hangUp()
    await states.first((state) => state === 'suspended')
    await session.sync('/')
    expect(server.connections.at(-1)).toEqual([opcode.sync])
  }),
)

test(
  'a process that was stopped during the handshake is not notified that it is connected',
  scripted(async ({ server, open, clock: given }) => {
    const clock = new JumpingClock(given)
    const session = await open({ clock })
    const states = new Heard<string>()
    session.onState((state) => {
      states.hear(`${state} is ${session.state}`)
    })
    let handshakes = 0
    server.onHandshake = (grant) => {
      handshakes += 1
      if (handshakes === 1) clock.jump(10_000)
      grant(5_000)
    }
    server.hangUp()
    await states.first((state) => state === 'connected is connected')
    expect(states.all).toEqual(['suspended is suspended', 'lost is lost', 'connected is connected'])
    expect(session.generation).toBe(2)
  }),
)

test.each([
  ['on the way', xidMax - 10],
  ['at the very end', 2 ** 31 - 20],
])('request numbers start again before they run out (#101), answers in order across it: %s', async (_, firstXid) => {
  const servers = await ownServers()
  await servers.net.run(sendFrom(firstXid, servers))
  await servers.close()
})

async function sendFrom(firstXid: number, { net, ports }: Servers): Promise<void> {
  const closed = new Heard<string>()
  const connection = await new Promise<Connection>((resolve) => {
    const options = {
      server: { host: '127.0.0.1', port: ports[0] ?? 0 },
      connect: ({ port }: { readonly port: number }) => net.connect(port),
      sessionTimeoutMs: 5_000,
      openTimeoutMs: 5_000,
      clock: net.clock,
      firstXid,
    }
    new Connection(options, {
      onOpen: (_granted, opened) => {
        resolve(opened)
      },
      onExpired: () => undefined,
      onWatch: () => undefined,
      onAnswered: () => undefined,
      onClosed: closed.hear,
    })
  })
  const send = <T>(request: Request<T>): Promise<boolean> =>
    new Promise((resolve) => {
      connection.send(request, (answer) => {
        resolve('value' in answer)
      })
    })
  const requests = new Requests('')
  const first = await Promise.all(Array.from({ length: 40 }, () => send(requests.sync('/'))))
  const second = await Promise.all([send(ping), send(requests.sync('/')), send(requests.exists('/'))])
  expect([...first, ...second]).toEqual(Array.from({ length: 43 }, () => true))
  expect(closed.all).toEqual([])
  connection.destroy('the test is over')
}
