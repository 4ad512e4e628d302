import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { errorCode, eventType } from '@catchment/zookeeper-wire'
import type { Transaction } from '../src/tree/changes.ts'
import { decodeSnapshot, encodeSnapshot, snapshotSlices } from '../src/storage/snapshot.ts'
import { statOf, type NodeStat } from '../src/tree/node.ts'
import type { WriteOperation } from '../src/tree/operations.ts'
import { StateMachine, type Commit } from '../src/tree/state-machine.ts'
import { mode, openAcl } from './raw-client.ts'

const now = Date.UTC(2026, 0, 1)
const anonymous = { sessionId: 7n, identities: [] }
const create = (path: string, how: number = mode.persistent): WriteOperation & { type: 'create' } => ({
  type: 'create',
  path,
  data: Buffer.from('x'),
  acl: openAcl,
  as: how === mode.container ? 'container' : how === mode.ttl ? 'ttl' : 'node',
  mode: how,
  ttlMs: how === mode.ttl ? 1_000n : -1n,
})
const remove = (path: string, version = -1): WriteOperation => ({ type: 'delete', path, version })
const setData = (path: string, version = -1): WriteOperation => ({
  type: 'setData',
  path,
  data: Buffer.from('yy'),
  version,
})
const check = (path: string, version: number): WriteOperation => ({ type: 'check', path, version })

const write = (machine: StateMachine, ...operations: WriteOperation[]): Commit =>
  machine.write(operations, anonymous, now)
const errors = (commit: Commit): number[] => commit.outcomes.map((one) => (one.ok ? 0 : one.code))
const stat = (machine: StateMachine, path: string): NodeStat | undefined => {
  const node = machine.tree.get(path)
  return node === undefined ? undefined : statOf(node)
}

describe('StateMachine.write', () => {
  test.each<[string, WriteOperation, number]>([
    ['a node twice', create('/a'), errorCode.nodeExists],
    ['below nothing', create('/none/b'), errorCode.noNode],
    ['below an ephemeral node', create('/e/b'), errorCode.noChildrenForEphemerals],
    ['an empty part', create('/a//b'), errorCode.noNode],
    ['a relative part', create('/a/..'), errorCode.badArguments],
    ['a trailing slash', create('/a/'), errorCode.badArguments],
    ['a path without a slash', create('b'), errorCode.badArguments],
    ['an unknown mode', create('/b', 9), errorCode.badArguments],
    ['a TTL of 0 ms', { ...create('/b', mode.ttl), ttlMs: 0n }, errorCode.badArguments],
    ['a TTL of 35 years', { ...create('/b', mode.ttl), ttlMs: 1n << 40n }, errorCode.badArguments],
    ['a TTL mode without a TTL', { ...create('/b', mode.ttl), as: 'node' }, errorCode.badArguments],
    ['a TTL for a node that has none', { ...create('/b'), as: 'ttl', ttlMs: 5n }, errorCode.badArguments],
    ['no ACL', { ...create('/b'), acl: [] }, errorCode.invalidAcl],
    ['delete of nothing', remove('/none'), errorCode.noNode],
    ['delete of another version', remove('/a/b', 3), errorCode.badVersion],
    ['delete of a parent', remove('/a'), errorCode.notEmpty],
    ['delete of the root', remove('/'), errorCode.badArguments],
    ['delete of /zookeeper', remove('/zookeeper'), errorCode.badArguments],
    ['data of nothing', setData('/none'), errorCode.noNode],
    ['data of another version', setData('/a', 1), errorCode.badVersion],
    ['a check of another version', check('/a', 1), errorCode.badVersion],
  ])('%s is refused, takes a zxid and changes nothing', (_, operation, expected) => {
    const machine = new StateMachine()
    write(machine, create('/a'), create('/a/b'), create('/e', mode.ephemeral))
    const before = [...machine.tree.entries()].map(([path, node]) => [path, statOf(node)])
    const commit = write(machine, operation)
    expect(errors(commit)).toEqual([expected])
    expect(commit.transaction).toEqual({ zxid: 2n, timeMs: now, changes: [] })
    expect(commit.events).toEqual([])
    expect([...machine.tree.entries()].map(([path, node]) => [path, statOf(node)])).toEqual(before)
  })

  test('counters: sequence numbers count creates alone, cversion is 2 × creates − children', () => {
    const machine = new StateMachine()
    expect(stat(machine, '/')).toMatchObject({ cversion: -1, numChildren: 1 })
    expect(stat(machine, '/zookeeper')).toMatchObject({ cversion: -2, numChildren: 2 })
    write(machine, create('/a'))
    const [first] = write(machine, create('/a/s-', mode.sequential)).outcomes
    expect(first).toMatchObject({ ok: true, path: '/a/s-0000000000' })
    write(machine, create('/a/b'))
    write(machine, remove('/a/b'))
    const [second] = write(machine, create('/a/', mode.sequential)).outcomes
    expect(second).toMatchObject({ ok: true, path: '/a/0000000002' })
    expect(stat(machine, '/a')).toMatchObject({ cversion: 4, numChildren: 2, pzxid: 5n, mzxid: 1n, version: 0 })
    write(machine, setData('/a', 0))
    expect(stat(machine, '/a')).toMatchObject({ version: 1, mzxid: 6n, czxid: 1n, pzxid: 5n, dataLength: 2 })
  })

  test('multi: later operations see earlier ones, all under one zxid', () => {
    const machine = new StateMachine()
    const commit = write(machine, create('/a'), create('/a/s', mode.sequential), setData('/a'), check('/a', 1))
    expect(errors(commit)).toEqual([0, 0, 0, 0])
    expect(stat(machine, '/a')).toMatchObject({ czxid: 1n, mzxid: 1n, pzxid: 1n, version: 1 })
    expect(commit.events.map(({ type, path }) => [type, path])).toEqual([
      [eventType.created, '/a'],
      [eventType.childrenChanged, '/'],
      [eventType.created, '/a/s0000000000'],
      [eventType.childrenChanged, '/a'],
      [eventType.dataChanged, '/a'],
    ])
  })

  test('multi: one refusal undoes all; before it ok, after it runtimeInconsistency', () => {
    const machine = new StateMachine()
    const commit = write(machine, create('/a'), remove('/none'), create('/b'))
    expect(errors(commit)).toEqual([errorCode.ok, errorCode.noNode, errorCode.runtimeInconsistency])
    expect(machine.tree.get('/a')).toBeUndefined()
    expect(commit.events).toEqual([])
  })

  test('closing a session takes a zxid and its ephemerals', () => {
    const machine = new StateMachine()
    const { session } = machine.openSession(4000, Buffer.alloc(16), now)
    machine.write([create('/e', mode.ephemeral)], { sessionId: session.id, identities: [] }, now)
    expect(stat(machine, '/e')).toMatchObject({ ephemeralOwner: session.id })
    const commit = machine.closeSession(session.id, now)
    expect(commit.transaction.zxid).toBe(3n)
    expect(commit.events.map(({ type, path }) => [type, path])).toEqual([
      [eventType.deleted, '/e'],
      [eventType.childrenChanged, '/'],
    ])
    expect(stat(machine, '/')).toMatchObject({ pzxid: 3n })
    expect(machine.tree.ephemeralCount).toBe(0)
  })

  test('containers are due once they had children and have none, TTL nodes when they were not written for their time', () => {
    const machine = new StateMachine()
    write(machine, create('/c', mode.container), create('/never', mode.container), create('/t', mode.ttl))
    expect(machine.tree.get('/c')?.ephemeralOwner).toBe(-(2n ** 63n))
    expect(machine.tree.get('/t')?.ephemeralOwner).toBe(BigInt.asIntN(64, (0xffn << 56n) + 1_000n))
    expect([stat(machine, '/c')?.ephemeralOwner, stat(machine, '/t')?.ephemeralOwner]).toEqual([0n, 0n]) // reported to no one
    write(machine, create('/c/x'), create('/t/x'))
    expect(machine.tree.due(now + 5_000)).toEqual([])
    write(machine, remove('/c/x'), remove('/t/x'))
    expect(machine.tree.due(now + 1_000)).toEqual(['/c'])
    expect(machine.tree.due(now + 1_001)).toEqual(['/c', '/t'])
    machine.write([setData('/t')], anonymous, now + 500)
    expect(machine.tree.due(now + 1_500)).toEqual(['/c'])
    expect(machine.reap('/c', now).events.map(({ type, path }) => [type, path])).toEqual([
      [eventType.deleted, '/c'],
      [eventType.childrenChanged, '/'],
    ])
    expect(machine.tree.ephemeralsOf(-(2n ** 63n))).toEqual([])
  })

  test('session ids never come again, also when the wall clock jumps back', () => {
    const machine = new StateMachine()
    const { session: first } = machine.openSession(4000, Buffer.alloc(16), now)
    machine.closeSession(first.id, now)
    const { session: second } = machine.openSession(4000, Buffer.alloc(16), now - 86_400_000)
    expect(second.id).toBeGreaterThan(first.id)
  })

  test('ACLs: duplicates merge before auth means the caller, digests hold', () => {
    const machine = new StateMachine()
    const ann = { sessionId: 7n, identities: [{ scheme: 'digest', id: 'ann:abc' }] }
    const acl = [
      { permissions: 31, scheme: 'auth', id: '' },
      { permissions: 31, scheme: 'auth', id: '' },
      { permissions: 1, scheme: 'digest', id: 'ann:abc' },
    ]
    machine.write([{ ...create('/a'), acl }], ann, now)
    expect(machine.tree.get('/a')?.acl).toEqual([
      { permissions: 31, scheme: 'digest', id: 'ann:abc' },
      { permissions: 1, scheme: 'digest', id: 'ann:abc' },
    ])
    expect(errors(write(machine, setData('/a')))).toEqual([errorCode.noAuth])
    expect(errors(write(machine, create('/a/b')))).toEqual([errorCode.noAuth])
    expect(errors(machine.write([setData('/a')], ann, now))).toEqual([0])
  })
})

type Step = { readonly operations: WriteOperation[] } | { readonly close: number }

const path = fc.constantFrom('/a', '/b', '/a/x', '/a/y', '/b/x', '/a/x/1')
const version = fc.constantFrom(-1, -1, -1, 0, 1)
const operation: fc.Arbitrary<WriteOperation> = fc.oneof(
  fc.tuple(path, fc.constantFrom(0, 0, 1, 2, 3, 4, 5)).map(([at, how]) => create(at, how)),
  fc.tuple(path, version).map(([at, expected]) => remove(at, expected)),
  fc.tuple(path, version).map(([at, expected]) => setData(at, expected)),
  fc.tuple(path, version).map(([at, expected]) => check(at, expected)),
  fc.tuple(path, version).map(([at, expected]): WriteOperation => ({
    type: 'setAcl',
    path: at,
    acl: [...openAcl, { permissions: 1, scheme: 'digest', id: 'a:b' }],
    version: expected,
  })),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.array(operation, { minLength: 1, maxLength: 4 }).map((operations) => ({ operations })) },
  { weight: 1, arbitrary: fc.nat({ max: 2 }).map((close) => ({ close })) },
)

const operations = (maxLength: number): fc.Arbitrary<WriteOperation[]> =>
  fc.array(operation, { maxLength, size: 'max' })

describe('StateMachine as a function of its log', () => {
  test('a snapshot at any point and the log after it give the same state as the log alone', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), fc.nat(), (steps, cut) => {
        const machine = new StateMachine()
        const log: Transaction[] = []
        const snapshots = [encodeSnapshot(machine)]
        const take = (commit: Commit): void => {
          log.push(commit.transaction)
          snapshots.push(encodeSnapshot(machine))
        }
        const sessions = [0, 1, 2].map(() => {
          const opened = machine.openSession(4000, Buffer.alloc(16, 3), now)
          take(opened)
          return opened.session.id
        })
        steps.forEach((one, at) => {
          if ('close' in one) take(machine.closeSession(sessions[one.close] ?? 0n, now + at))
          else take(machine.write(one.operations, { sessionId: sessions[at % 3] ?? 0n, identities: [] }, now + at))
        })
        const from = cut % snapshots.length
        const replayed = decodeSnapshot(snapshots[from] ?? Buffer.alloc(0))
        for (const transaction of log.slice(from)) replayed.replay(transaction)
        expect(contents(replayed)).toEqual(contents(machine))
        expect(machine.tree.dataBytes).toBe(weigh(machine))
      }),
      { numRuns: 200 },
    )
  })

  test('a frozen state is the one of its instant, whatever is written, refused or undone afterwards', () => {
    fc.assert(
      fc.property(operations(20), operations(20), (before, after) => {
        const machine = new StateMachine()
        for (const one of before) write(machine, one)
        const [frozen, was] = [machine.freeze(), encodeSnapshot(machine)]
        for (const one of after) write(machine, one)
        write(machine, ...after, remove('/never'))
        expect(Buffer.concat([...snapshotSlices(frozen)])).toEqual(was)
      }),
    )
  })

  test('a refused multi leaves the state as it was', () => {
    fc.assert(
      fc.property(operations(20), operations(6), (before, refused) => {
        const machine = new StateMachine()
        for (const one of before) write(machine, one)
        const was = contents(machine).nodes
        write(machine, ...refused, remove('/never'))
        expect(contents(machine).nodes).toEqual(was)
      }),
    )
  })

  test('a log with a hole is refused', () => {
    const machine = new StateMachine()
    expect(() => {
      machine.replay({ zxid: 2n, timeMs: now, changes: [] })
    }).toThrow('does not follow')
  })
})

function contents(machine: StateMachine): { zxid: bigint; sessions: unknown; nodes: unknown; dataBytes: number } {
  const nodes = [...machine.tree.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([at, node]) => [
      at,
      { ...node, freezes: 0, data: node.data?.toString(), children: [...node.children].sort() },
    ])
  const sessions = [...machine.sessions.values()]
  return { zxid: machine.zxid, sessions, nodes, dataBytes: machine.tree.dataBytes }
}

function weigh(machine: StateMachine): number {
  let bytes = 0
  for (const [at, node] of machine.tree.entries()) bytes += at.length + (node.data?.length ?? 0)
  return bytes
}
