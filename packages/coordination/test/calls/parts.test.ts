import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { realRandom, sleep } from '@catchment/runtime'
import { FakeClock } from '@catchment/testing'
import { untilAnswered } from '../../src/attempts/until-answered.ts'
import { untilWritten } from '../../src/attempts/until-written.ts'
import { Following } from '../../src/following/following.ts'
import { releaseWithin } from '../../src/line/hold.ts'
import { serverError, ZooKeeperError } from '../../src/session/contract/errors.ts'
import { Fifo } from '../../src/session/calls/fifo.ts'
import { Lease } from '../../src/session/connection/lease.ts'
import { wholeOptions } from '../../src/session/contract/options.ts'
import { parseServers } from '../../src/session/connection/servers.ts'
import type { CallOptions, SessionLog, SessionState, WatchListener } from '../../src/session/contract/session.ts'
import { States, transitions } from '../../src/session/connection/states.ts'
import { notify } from '../../src/session/contract/notify.ts'
import { Watches } from '../../src/session/watches/watches.ts'
import { ending } from '../world/ending.ts'

describe('Lease', () => {
  test('silent at two thirds, over at the timeout, counted from the sending of the last answered request', () => {
    const lease = new Lease(3_000, 0)
    lease.answered(1_000)
    lease.answered(500) // an older answer takes nothing back
    expect([lease.silent(2_999), lease.silent(3_000)]).toEqual([false, true])
    expect([lease.over(3_999), lease.over(4_000)]).toEqual([false, true])
  })

  test('pings are due a quarter of the timeout after the last, whatever else was answered', () => {
    const lease = new Lease(4_000, 0)
    lease.answered(900)
    expect([lease.pingDue(999), lease.pingDue(1_000)]).toEqual([false, true])
    lease.pinged(1_000)
    expect(lease.pingDue(1_999)).toBe(false)
  })

  test('nextCheckMs is never later than a turn, and never 0', () => {
    fc.assert(
      fc.property(fc.nat(5_000), fc.nat(5_000), fc.nat(10_000), (answeredMs, pingedMs, nowMs) => {
        const lease = new Lease(3_000, 0)
        lease.answered(answeredMs)
        lease.pinged(pingedMs)
        const nextMs = lease.nextCheckMs(nowMs)
        expect(nextMs).toBeGreaterThanOrEqual(1)
        const early = nowMs + nextMs - 1.01
        if (early <= nowMs) return
        expect(lease.silent(early)).toBe(lease.silent(nowMs))
        expect(lease.over(early)).toBe(lease.over(nowMs))
      }),
    )
  })
})

test('States: exactly the transitions of the table, and a listener that throws stops no other', () => {
  const all: readonly SessionState[] = ['connected', 'suspended', 'lost', 'closed']
  const ways: Readonly<Record<SessionState, readonly SessionState[]>> = {
    connected: ['connected'],
    suspended: ['connected', 'suspended'],
    lost: [],
    closed: ['closed'],
  }
  for (const from of all)
    for (const to of all) {
      const states = new States(() => undefined)
      for (const step of ways[from]) states.become(step)
      const heard: SessionState[] = []
      states.listen(() => {
        throw new Error('a bug of a listener')
      })
      states.listen((state) => heard.push(state))
      if (transitions[from].includes(to)) {
        states.become(to)
        expect([states.current, ...heard]).toEqual([to, to])
      } else
        expect(() => {
          states.become(to)
        }).toThrow(`from ${from} to ${to}`)
    }
})

test('report: what a callback throws, at once or in a promise, is logged and goes no further', async () => {
  const logged: string[] = []
  const log: SessionLog = (message, { error }) => logged.push(`${message}: ${String(error)}`)
  const heard: string[] = []
  notify(log, 'a good one', (one: string, other: string) => heard.push(one, other), 'a', 'b')
  notify(log, 'a bad one', () => {
    throw new Error('at once')
  })
  notify(log, 'an async one', (one: string) => Promise.reject(new Error(one)), 'later')
  const states = new States(log)
  const listener = (): unknown => Promise.reject(new Error('from a listener'))
  states.listen(listener)
  states.become('connected')
  await new Promise((resolve) => setImmediate(resolve))
  expect(heard).toEqual(['a', 'b'])
  expect(logged).toEqual([
    'a bad one threw: Error: at once',
    'zookeeper session connected: undefined',
    'an async one threw: Error: later',
    'a listener of the session threw: Error: from a listener',
  ])
})

test('wholeOptions: a log that throws does not stop a session halfway', () => {
  const log: SessionLog = () => {
    throw new Error('the disk is full')
  }
  const whole = wholeOptions({ servers: 'a', sessionTimeoutMs: 1, log })
  expect(() => {
    whole.log('lost', {})
  }).not.toThrow()
})

describe('Watches', () => {
  const named = (name: string): WatchListener & { readonly called: string } =>
    Object.assign(() => undefined, { called: name })

  test('each listener once per event, and gone after it', () => {
    const watches = new Watches()
    const listener = named('one')
    watches.add('data', '/a', listener)
    watches.add('child', '/a', listener)
    watches.add('exist', '/b', listener)
    expect(watches.size).toBe(3)
    const deleted = { type: 'deleted', path: '/a' } as const
    expect(watches.take({ type: 'children-changed', path: '/b' })).toEqual([])
    expect(watches.take(deleted)).toEqual([[listener, deleted]])
    expect(watches.take(deleted)).toEqual([])
    expect(watches.takeAll()).toEqual([[listener, { type: 'session-lost', path: '/b' }]])
    expect(watches.size).toBe(0)
  })

  test('one that stays serves the reads of its path: they ask for none, and it is kept until all are reported', () => {
    const watches = new Watches()
    const [stays, once] = [named('stays'), named('once')]
    expect(watches.askToStay('/a', 'persistent')).toBe('persistent')
    expect(watches.ask('data', '/a')).toBe(false)
    watches.add('persistent', '/a', stays)
    watches.answeredToStay('/a', false)
    watches.remove('persistent', '/a', stays)
    expect(watches.releasable('data', '/a')).toBeUndefined() // the read is under way
    watches.add('data', '/a', once)
    watches.answered('data', '/a')
    expect(watches.releasable('data', '/a')).toBeUndefined()
    const changed = { type: 'changed', path: '/a' } as const
    expect(watches.take(changed)).toEqual([[once, changed]])
    expect([...watches.leftOver('/a/b')]).toEqual(['/a'])
    expect(watches.releasable('data', '/a')).toBe('any')
    watches.release('/a')
    expect(watches.ask('data', '/a')).toBe(true)
  })

  test('a recursive one stands in for a persistent one, children and all', () => {
    const watches = new Watches()
    const [below, here, children] = [named('below'), named('here'), named('children')]
    watches.askToStay('/a', 'recursive')
    watches.add('recursive', '/a', below)
    watches.answeredToStay('/a', false)
    expect(watches.askToStay('/a', 'persistent')).toBe('recursive')
    watches.add('persistent', '/a', here)
    watches.answeredToStay('/a', false)
    watches.add('child', '/a', children)
    const created = { type: 'created', path: '/a/b' } as const
    const childrenChanged = { type: 'children-changed', path: '/a' } as const
    expect(watches.take(childrenChanged)).toEqual([])
    expect(watches.take(created)).toEqual([
      [children, childrenChanged],
      [here, childrenChanged],
      [below, created],
    ])
    const deep = { type: 'changed', path: '/a/b/c' } as const
    expect(watches.take(deep)).toEqual([[below, deep]])
    expect([...watches.restore()]).toEqual([{ data: [], exist: [], child: [], persistent: [], recursive: ['/a'] }])
  })

  test('an addWatch that is refused leaves nothing, and says whether a read relied on it', () => {
    const watches = new Watches()
    watches.askToStay('/a', 'persistent')
    expect(watches.answeredToStay('/a', true)).toBe(false)
    expect(watches.ask('data', '/a')).toBe(true)
    watches.answered('data', '/a')
    watches.askToStay('/a', 'persistent')
    watches.ask('child', '/a')
    expect(watches.answeredToStay('/a', true)).toBe(true)
  })

  test('60,000 watches are restored in batches below what a server takes, those that stay last', () => {
    const watches = new Watches()
    watches.add('persistent', '/p', () => undefined)
    for (let index = 0; index < 60_000; index += 1) watches.add('data', `/some/longer/path/${index}`, () => undefined)
    const batches = [...watches.restore()]
    expect(batches.flatMap(({ data }) => data)).toHaveLength(60_000)
    expect(batches.map(({ persistent }) => persistent.length)).toEqual([...batches.slice(1).map(() => 0), 1])
    for (const { data } of batches) expect(data.join('0000').length).toBeLessThan(140_000)
  })
})

describe('Fifo', () => {
  test('behaves as an array does, whatever is taken out of turn', () => {
    const step = fc.oneof(fc.constant('push'), fc.constant('shift'), fc.nat(300))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: 'max' }), (steps) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        const withdrawals: (() => boolean)[] = []
        const found: unknown[] = []
        const expected: unknown[] = []
        for (const one of steps) {
          if (one === 'push') {
            model.push(withdrawals.length)
            withdrawals.push(fifo.push(withdrawals.length))
          } else if (one === 'shift') {
            found.push(fifo.shift())
            expected.push(model.shift())
          } else {
            const at = model.indexOf(one)
            found.push(withdrawals[one]?.() ?? false)
            expected.push(at >= 0)
            if (at >= 0) model.splice(at, 1)
          }
          found.push(fifo.size)
          expected.push(model.length)
        }
        expect(found).toEqual(expected)
      }),
    )
  })
})

test('Following: a reconnect that was reported before anybody listened does not stop it', async () => {
  const clock = new FakeClock()
  const turns: string[] = []
  let state: SessionState = 'suspended' // and no one will be notified of any other
  const following = new Following<string>(
    {
      ...{ clock, random: realRandom, log: () => undefined, generation: 1 },
      get state() {
        return state
      },
      onState: () => () => undefined,
      sync: () => Promise.resolve(),
      unwatchAll: () => Promise.resolve(),
    },
    {
      ...{ name: 'a test', path: '/' },
      turn: () => {
        turns.push(state)
        return state === 'suspended' ? Promise.reject(new Error('cut off')) : Promise.resolve(state)
      },
    },
  )
  await clock.advance(0)
  state = 'connected'
  await clock.advance(2_000)
  expect(turns).toEqual(['suspended', 'connected'])
  expect(following.stale).toBe(false)
  await following.close()
})

test('untilAnswered: the deadline is of all calls of all attempts, and of the pauses between them', async () => {
  const clock = new FakeClock()
  const session = { clock, random: realRandom, sessionTimeoutMs: 10_000 }
  const lefts: (number | undefined)[] = []
  const attempt = async (call: CallOptions): Promise<void> => {
    for (let count = 0; count < 2; count += 1) {
      lefts.push(call.timeoutMs)
      await sleep(clock, 400)
    }
    throw new ZooKeeperError('connection-lost', 'no answer')
  }
  const ended = ending(untilAnswered(session, attempt, { timeoutMs: 820 }))
  await clock.advance(820)
  expect(lefts).toEqual([820, 420, expect.any(Number)])
  await clock.advance(800)
  expect(await ended).toBe('connection-lost not-done')
  expect([lefts.length, clock.pendingTimers]).toEqual([4, 0])
})

describe('untilWritten', () => {
  const beaten = () => Promise.resolve(undefined)

  test('between two attempts it follows the signal at once, and the deadline', async () => {
    const clock = new FakeClock()
    const session = { clock, random: realRandom }
    const caller = new AbortController()
    const aborted = ending(untilWritten(session, 'write', beaten, { signal: caller.signal }))
    const late = ending(untilWritten(session, 'write', beaten, { timeoutMs: 700 }))
    await clock.advance(100)
    caller.abort()
    expect(await aborted).toBe('aborted not-done')
    await clock.advance(600)
    expect(await late).toBe('timeout not-done')
    expect(clock.pendingTimers).toBe(0)
  })

  test('attempts have what is left of the deadline, and end it when they have written', async () => {
    const clock = new FakeClock()
    const lefts: (number | undefined)[] = []
    const attempt = async ({ timeoutMs }: CallOptions) => {
      lefts.push(timeoutMs)
      await sleep(clock, 50)
      return lefts.length === 3 ? 'written' : undefined
    }
    const written = untilWritten({ clock, random: realRandom }, 'write', attempt, { timeoutMs: 5_000 })
    await clock.advance(2_000)
    expect(await written).toBe('written')
    expect([lefts.length, lefts[0], (lefts[2] ?? 0) < (lefts[1] ?? 0)]).toEqual([3, 5_000, true])
  })
})

test('releaseWithin: an explicit `timeoutMs: undefined` keeps the default, twice the session timeout', async () => {
  const clock = new FakeClock()
  const never = new Promise<void>(() => undefined)
  const released = ending(
    releaseWithin({ clock, sessionTimeoutMs: 500 }, 'release', () => never, { timeoutMs: undefined }),
  )
  await clock.advance(1_000)
  expect(await released).toBe('timeout unknown')
})

test('parseServers: host:port lists, IPv6 in brackets, a chroot; what is not one is refused', () => {
  const servers = [
    { host: 'a', port: 1 },
    { host: 'b', port: 2181 },
    { host: '::1', port: 3 },
  ]
  expect(parseServers('a:1, b,[::1]:3')).toEqual({ servers, chroot: '' })
  expect(parseServers('a:1, b,[::1]:3/')).toEqual({ servers, chroot: '' })
  expect(parseServers('a:1, b,[::1]:3/prod/logs')).toEqual({ servers, chroot: '/prod/logs' })
  for (const wrong of ['', 'a:1,', 'a:0', 'a:70000', 'http://a:1', '::1', 'a:1//x', 'a:1/x,b:2/..'])
    expect(() => parseServers(wrong)).toThrow('host:port')
})

test('serverError: codes the library does not know are errors like others', () => {
  expect(serverError(-125, 'create /a')).toMatchObject({ code: 'quota-exceeded', outcome: 'not-done' })
  expect(serverError(-127, 'create /a')).toMatchObject({ code: 'throttled', retryable: true })
  expect(serverError(-999, 'create /a')).toMatchObject({ code: 'server-error', outcome: 'unknown' })
})
