import { describe, expect, test } from '@jest/globals'
import * as main from '../../src/index.ts'
import * as recipes from '../../src/recipes.ts'
import { bytes } from '../world/world.ts'
import { belowRoot, bytesRule, called, nameRule, path, pathRule, run, type Row } from './called.ts'

const coordination = { ...main, ...recipes }

// Arguments that no compiler has seen. None of these reaches a server: what is handed on as a session can do nothing.

const session = { onState: () => run }

/** A recipe on a session that can do nothing. */
function made(name: string, options: object): object {
  return Object(called(coordination, name, session, options)) as object
}

const atOnce: readonly Row[] = [
  ['followValue', [session, 'p', { onValue: run }], `follow value: ${pathRule}, not "p"; correct it`],
  ['followValue', [session, '/a//b', { onValue: run }], `follow value: ${pathRule}, not "/a//b"; correct it`],
  ['followValue', [session, '/a/../b', { onValue: run }], `follow value: ${pathRule}, not "/a/../b"; correct it`],
  ['followValue', [session, path, {}], 'follow value: onValue is a function, not undefined; correct it'],
  [
    'followValue',
    [session, path, { onValue: 'a', onStale: null, rereadMs: NaN }],
    'follow value: onValue is a function, not "a"; onStale is a function, not null; ' +
      'rereadMs is a number of milliseconds above 0, not NaN; correct them',
  ],
  ['followValue', [session, path], 'follow value: options is an object with onValue, onStale, rereadMs, not undefined'],
  [
    'followValue',
    [Promise.resolve(session), path, { onValue: run }],
    'follow value: session is a session: await openSession(), not a Promise; correct it',
  ],
  ['followChildren', [session, path, {}], 'follow children: onChildren is a function, not undefined; correct it'],
  [
    'followMembers',
    [session, '/', {}],
    `follow members: ${belowRoot}, not "/"; onMembers is a function, not undefined`,
  ],
  [
    'followMembers',
    [session, path, { name: 'a/b', onMembers: run }],
    'name is one part of a path, or empty, not "a/b"',
  ],
  ['followTree', [session, path, {}], 'follow tree: onTree is a function, not undefined; correct it'],
  [
    'followTree',
    [session, path, { onTree: run, includes: ['a'], nodesMax: '9' }],
    'follow tree: includes is a function, not an Array; nodesMax is a number from 0, not "9"; correct them',
  ],
  [
    'joinElection',
    [session, { path: 'e' }],
    `join election: ${belowRoot}, not "e"; id is text, not undefined; ` +
      'onElected is a function, not undefined; onDeposed is a function, not undefined; correct them',
  ],
  [
    'joinElection',
    [session, { path, id: 7, onElected: run, onDeposed: run }],
    'join election: id is text, not 7; correct it',
  ],
  ['observeLeader', [session, { path }], 'observe leader: onLeader is a function, not undefined; correct it'],
  ['joinHotStandby', [session, { path, id: 'a' }], 'join hot standby: run is a function, not undefined; correct it'],
  [
    'joinColdStandby',
    [session, { path, id: 'a', tasksMax: 0, scanMs: 0, spreadMs: -1 }],
    'join cold standby: run is a function, not undefined; tasksMax is a number from 1, not 0; ' +
      'scanMs is a number of milliseconds above 0, not 0; spreadMs is a number from 0, not -1; correct them',
  ],
  [
    'followService',
    [session, { path, name: 'a/b' }],
    `follow service: name ${nameRule}, not "a/b"; onEndpoints is a function, not undefined; correct them`,
  ],
  ['barrier', [session, { path: '/' }], `make barrier: ${belowRoot}, not "/"; correct it`],
  [
    'doubleBarrier',
    [session, { path, id: 'a', size: 0 }],
    'make double barrier: size is a whole number from 1 to 1000, not 0; correct it',
  ],
  ['exclusiveLock', [session, '/lock'], 'make exclusive lock: options is an object with path, id, not "/lock"'],
  ['sharedLock', [session, { path }], 'make shared lock: id is text, not undefined; correct it'],
  ['semaphore', [session, { path, id: 'a', leases: 0 }], 'leases is a whole number from 1 to 999999999, not 0'],
  ['configuration', [session, { path, id: 'a' }], 'make configuration: parse is a function, not undefined; correct it'],
  [
    'configuration',
    [session, { path, id: 'a\nb', parse: run, historyMax: 0 }],
    'id is text without line breaks, not "a\\nb"; historyMax is a whole number from 1, not 0; correct them',
  ],
  ['sequentialIds', [session, { path }], 'make sequential ids: prefix is text, not undefined; correct it'],
  ['sharedCounter', [session, { path: 'c' }], `make shared counter: ${pathRule}, not "c"; correct it`],
  [
    'joinPeriodicTask',
    [session, { path, id: 'a', schedule: 1_000, attempts: 'twice', catchUpMax: 1_001 }],
    'join periodic task: schedule is a schedule, as every(60_000) makes one, not 1000; run is a function, not undefined; ' +
      'attempts is one of "until-done", "once", not "twice"; catchUpMax is a whole number from 1 to 1000, not 1001; correct them',
  ],
  ['every', [0.5], 'make schedule: intervalMs is a whole number from 1, not 0.5; correct it'],
  ['fifoQueue', [session, { path }], 'make queue: itemsMax is a whole number from 1, not undefined; correct it'],
  [
    'divide',
    ['abc', ['a', 'b']],
    'divide keys: keys is a list or a set, not "abc"; members[0] is an object with id, weight, not "a"; ' +
      'members[1] is an object with id, weight, not "b"; correct them',
  ],
  ['divide', [new Set(['a', 1]), [{ id: 'a' }]], 'divide keys: keys[1] is text, not 1; correct it'],
  ['divide', [['a'], [{ id: 'a', weight: NaN }]], 'members[0].weight is a finite number above 0, not NaN; correct it'],
  ['hashRing', [['a']], 'make a hash ring: members[0] is an object with id, weight, not "a"; correct it'],
  ['hashRing', [[{ id: 1 }]], 'make a hash ring: members[0].id is text, not 1; correct it'],
  ['digestAcl', ['ann', 4_711], 'make a digest ACL: password is text, not a value of type number; correct it'],
  ['digestAcl', ['ann', 'secret', ['reed']], 'permissions[0] is one of "read", "write", "create", "delete", "admin"'],
]

const later: readonly Row[] = [
  [
    'openSession',
    [{ servers: 'a/b,c:2181', sessionTimeoutMs: 1_000 }],
    'open a session: the chroot stands once, after the last server, as host:port,host:port/path, not "a/b,c:2181"',
  ],
  ['openSession', [], 'open a session: options is an object with servers, sessionTimeoutMs'],
  [
    'openSession',
    [{ servers: 'a', sessionTimeoutMs: 1_000, auth: [{ scheme: 'digest' }], log: ['info'] }],
    'open a session: log is a function, not an Array; auth[0].proof is text or bytes, not a value of type undefined; correct them',
  ],
  ['acquireFence', [session, path, bytes('claim')], 'acquire fence: claim is a function, not a Uint8Array; correct it'],
  [
    'joinMembership',
    [session, { path, pathMode: 'ephemeral', name: 'a/b', data: 'text' }],
    `join membership: pathMode is one of "persistent", "container", not "ephemeral"; name ${nameRule}, not "a/b"; ` +
      `data ${bytesRule}, not "text"; correct them`,
  ],
  ...['', '.', '..', 'a\n'].map((name): Row => {
    return [
      'joinMembership',
      [session, { path, name, data: bytes('') }],
      `name ${nameRule}, not ${JSON.stringify(name)}`,
    ]
  }),
  [
    'announceService',
    [session, { path, name: '', id: 'a/b', endpoint: {} }],
    `announce service: name ${nameRule}, not ""; id ${nameRule}, not "a/b"; endpoint ${bytesRule}, not an Object`,
  ],
  ['resolveService', [session, { path, name: '..' }], `resolve service: name ${nameRule}, not ".."; correct it`],
  ['listServices', [session, {}], `list services: ${belowRoot}, not undefined; correct it`],
  [
    'joinPartitioner',
    [session, { path, id: 'a', items: 'abc', weight: 1.5 }],
    'join partitioner: weight is a whole number from 1 to 1000, not 1.5; items is a list, not "abc"; ' +
      'onAcquired is a function, not undefined; onRelease is a function, not undefined; ' +
      'onLost is a function, not undefined; correct them',
  ],
  [
    'joinPartitioner',
    [session, { path, id: '\ud800', items: ['a', 1], onAcquired: run, onRelease: run, onLost: run }],
    'id is text of whole characters, not "\\ud800"; items[1] is text of whole characters, not 1; correct them',
  ],
  ['resizeSemaphore', [session, { path, leases: '3' }], 'resize semaphore: leases is a whole number from 1 to'],
]

const lock = made('exclusiveLock', { path, id: 'a' })
const config = made('configuration', { path, id: 'a', parse: run })
const counter = made('sharedCounter', { path })
const queue = made('priorityQueue', { path, itemsMax: 1 })

const callsOfRecipes: readonly (readonly [owner: object, ...Row])[] = [
  [lock, 'acquire', ['me'], 'acquire /p: options is an object with signal, timeoutMs, owner, not "me"; correct it'],
  [lock, 'acquire', [{ owner: 1 }], 'acquire /p: owner is text, not 1; correct it'],
  [lock, 'tryAcquire', [{ timeoutMs: '9' }], 'try to acquire /p: timeoutMs is a number of milliseconds, not "9"'],
  [lock, 'run', [], 'run with a hold: work is a function, not undefined; correct it'],
  [config, 'get', ['now'], 'read configuration /p: options is an object with signal, timeoutMs, generation, not "now"'],
  [config, 'publish', [1, { expectedVersion: '3' }], 'publish /p: expectedVersion is a whole number from 0, not "3"'],
  [config, 'rollBack', [0], 'roll back /p: version is a whole number from 1, not 0; correct it'],
  [counter, 'add', [1], 'add to counter /p: amount is a bigint, as 5n, not 1; correct it'],
  [counter, 'compareAndSet', [5n, '1'], 'set counter /p: version is a whole number from 0, not "1"; correct it'],
  [queue, 'put', ['text', 1_000], `data ${bytesRule}, not "text"; priority is a whole number from 0 to 999, not 1000`],
  [queue, 'items', [], 'list the items of /p: options is an object with'],
]

function titled(row: Row): [string, Row] {
  return [row[2], row]
}

describe('arguments that are wrong', () => {
  test.each(atOnce.map(titled))('thrown at once: %s', (_title, [name, args, message]) => {
    expect(() => called(coordination, name, ...args)).toThrow(
      expect.objectContaining({ code: 'bad-arguments', message: expect.stringContaining(message) }),
    )
  })

  test.each(later.map(titled))('rejected with: %s', async (_title, [name, args, message]) => {
    await expect(called(coordination, name, ...args)).rejects.toMatchObject({
      code: 'bad-arguments',
      message: expect.stringContaining(message),
    })
  })

  test.each(callsOfRecipes.map(([owner, ...row]) => [row[2], owner, row] as const))(
    'rejected by a recipe with: %s',
    async (_title, owner, [name, args, message]) => {
      await expect(called(owner, name, ...args)).rejects.toMatchObject({
        code: 'bad-arguments',
        message: expect.stringContaining(message),
      })
    },
  )

  test('configuration.follow throws', () => {
    expect(() => called(config, 'follow', {})).toThrow('follow configuration /p: onValue is a function, not undefined')
  })

  test('a value is shown shortened', () => {
    const long = 'x'.repeat(1_000)
    expect(() => called(coordination, 'followValue', session, long, { onValue: run })).toThrow(`"${'x'.repeat(60)}…"`)
  })
})
