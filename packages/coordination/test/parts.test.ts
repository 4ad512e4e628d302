import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { serverError } from '../src/session/errors.ts'
import { Frames } from '../src/session/frames.ts'
import { Lease } from '../src/session/lease.ts'
import { parseServers } from '../src/session/servers.ts'
import type { SessionState } from '../src/session/session.ts'
import { States, transitions } from '../src/session/states.ts'
import { Watches } from '../src/session/watches.ts'

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

describe('Frames', () => {
  test('cuts packets out of bytes that arrive in any pieces', () => {
    const pieces = fc.array(fc.nat(40), { maxLength: 60 })
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), pieces, (payloads, lengths) => {
        const packets = payloads.map((payload) => {
          const packet = Buffer.alloc(4 + payload.length)
          packet.writeInt32BE(payload.length)
          packet.set(payload, 4)
          return packet
        })
        let rest = Buffer.concat(packets)
        const frames = new Frames(100)
        const found: Buffer[] = []
        for (const length of [...lengths, rest.length]) {
          found.push(...frames.push(rest.subarray(0, length)))
          rest = rest.subarray(length)
        }
        expect(found).toEqual(packets)
      }),
    )
  })

  test('refuses a length that no server sends', () => {
    expect(() => new Frames(100).push(Buffer.from('HTTP'))).toThrow(RangeError)
    expect(() => new Frames(100).push(Buffer.alloc(4, 0xff))).toThrow(RangeError)
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
      const told: SessionState[] = []
      states.listen(() => {
        throw new Error('a bug of a listener')
      })
      states.listen((state) => told.push(state))
      if (transitions[from].includes(to)) {
        states.become(to)
        expect([states.current, ...told]).toEqual([to, to])
      } else
        expect(() => {
          states.become(to)
        }).toThrow(`from ${from} to ${to}`)
    }
})

describe('Watches', () => {
  test('each listener once per event, and gone after it', () => {
    const watches = new Watches()
    const listener = (): void => undefined
    watches.add('data', '/a', listener)
    watches.add('child', '/a', listener)
    watches.add('exist', '/b', listener)
    expect(watches.take({ type: 'children-changed', path: '/b' })).toEqual([])
    expect(watches.take({ type: 'deleted', path: '/a' })).toEqual([listener])
    expect(watches.take({ type: 'deleted', path: '/a' })).toEqual([])
    expect(watches.paths()).toEqual(['/b'])
    expect(watches.take({ type: 'created', path: '/b' })).toEqual([listener])
  })

  test('60,000 watches are restored in batches below what a server takes', () => {
    const watches = new Watches()
    for (let index = 0; index < 60_000; index += 1) watches.add('data', `/some/longer/path/${index}`, () => undefined)
    const batches = [...watches.batches()]
    expect(batches.flatMap(({ data }) => data)).toHaveLength(60_000)
    for (const { data } of batches) expect(data.join('0000').length).toBeLessThan(140_000)
  })
})

test('parseServers: host:port lists, IPv6 in brackets, and what is not one is refused', () => {
  expect(parseServers('a:1, b,[::1]:3')).toEqual([
    { host: 'a', port: 1 },
    { host: 'b', port: 2181 },
    { host: '::1', port: 3 },
  ])
  for (const wrong of ['', 'a:1,', 'a:0', 'a:70000', 'a:1/chroot', 'http://a:1', '::1'])
    expect(() => parseServers(wrong)).toThrow('host:port')
})

test('serverError: codes the library does not know are errors like others', () => {
  expect(serverError(-125, 'create /a')).toMatchObject({ code: 'quota-exceeded', outcome: 'not-done' })
  expect(serverError(-127, 'create /a')).toMatchObject({ code: 'throttled', retryable: true })
  expect(serverError(-999, 'create /a')).toMatchObject({ code: 'server-error', outcome: 'unknown' })
})
