import { expect, test } from '@jest/globals'
import * as main from '../../src/index.ts'
import * as recipes from '../../src/recipes.ts'
import { bytes, ending, inWorld } from '../world/world.ts'
import { bytesRule, called, path, pathRule, run, versionRule, type Row } from './called.ts'

const coordination = { ...main, ...recipes }

const calls: readonly Row[] = [
  ['get', ['p'], `get p: ${pathRule}, not "p"; correct it`],
  ['get', ['/p\u{1f600}'], 'has a character that servers refuse'],
  ['get', [path, { watch: true }], 'get /p: watch is a function, not true; correct it'],
  [
    'get',
    [path, 'now'],
    'get /p: options is an object with signal, timeoutMs, generation, watch, not "now"; correct it',
  ],
  [
    'children',
    [path, run],
    'children /p: options is an object with signal, timeoutMs, generation, watch, not a function',
  ],
  ['get', [path, { timeoutMs: '5' }], 'get /p: timeoutMs is a number of milliseconds, not "5"; correct it'],
  ['get', [path, { timeoutMs: NaN }], 'get /p: timeoutMs is a number of milliseconds, not NaN; correct it'],
  ['get', [path, { signal: 'stop' }], 'get /p: signal is an AbortSignal, not "stop"; correct it'],
  ['exists', [undefined], `exists undefined: ${pathRule}, not undefined; correct it`],
  ['create', [path, 'text'], `create /p: data ${bytesRule}, not "text"; correct it`],
  [
    'create',
    [path, bytes(''), 'ephemerals'],
    'create /p: mode is one of "persistent", "ephemeral", "persistent-sequential", "ephemeral-sequential", "container", ' +
      '"persistent-with-ttl", "persistent-sequential-with-ttl", not "ephemerals"; correct it',
  ],
  ['createWithStat', [path, bytes(''), 1], 'mode is one of'],
  ['create', [path, bytes(''), 'persistent', { acl: 'world' }], 'create /p: acl is a list, not "world"; correct it'],
  [
    'create',
    [path, bytes(''), 'persistent', { acl: [{ scheme: 'world', id: 'anyone', permissions: ['reed'] }] }],
    'create /p: acl[0].permissions[0] is one of "read", "write", "create", "delete", "admin", not "reed"; correct it',
  ],
  ['create', [path, bytes(''), 'persistent', { ttlMs: 1 }], 'create /p: mode persistent has no ttlMs; correct it'],
  ['set', [path, 'text', 'any'], `set /p: data ${bytesRule}, not "text"; correct it`],
  ['set', [path, bytes(''), '3'], `set /p at version 3: ${versionRule}, not "3"; correct it`],
  ['set', [path, bytes('')], `${versionRule}, not undefined`],
  ['delete', [path, -1], `delete /p at version -1: ${versionRule}, not -1; correct it`],
  ['setAcl', [path, [{ scheme: 'world', id: 'anyone' }], 'any'], 'acl[0].permissions is a list, not undefined'],
  ['multi', [{ op: 'check' }], 'multi: operations is a list, not an Object; correct it'],
  [
    'multi',
    [
      [
        { op: 'check', path, version: 'any' },
        { op: 'exists', path },
      ],
    ],
    'multi: operations[1].op is one of "create", "set", "delete", "check", not "exists"; correct it',
  ],
  [
    'multi',
    [
      [
        { op: 'check', path, version: 'any' },
        { op: 'set', path, data: 'text', version: 0 },
      ],
    ],
    `set /p at version 0: data ${bytesRule}, not "text"; correct it (operation 1 of the transaction, from 0)`,
  ],
  [
    'multiRead',
    [[{ op: 'set', path }]],
    'multiRead: operations[0].op is one of "get", "children", not "set"; correct it',
  ],
  ['addWatch', [path], 'add a watch to /p: listener is a function, not undefined; correct it'],
  ['addWatch', [path, run, { recursive: 1, timeoutMs: NaN }], 'recursive is true or false, not 1'],
  ['unwatch', [path, 'me'], 'take a watch back: listener is a function, not "me"; correct it'],
  [
    'addAuth',
    ['ann:secret'],
    'show credentials: credentials is an object with scheme, proof, not a value of type string',
  ],
  ['ensurePath', ['p'], `ensure p: ${pathRule}, not "p"; correct it`],
  ['deleteTree', [path, null], 'delete the tree /p: options is an object with signal, timeoutMs, generation, not null'],
  ['deleteTree', ['/'], 'delete the tree /: the root cannot be deleted; name what is below it'],
]

test.concurrent(
  'calls of a session refuse what is wrong, and a listener of its state that is none',
  inWorld(async ({ session: open }) => {
    const { session } = await open()
    for (const [name, args, message] of calls)
      await expect(called(session, name, ...args)).rejects.toMatchObject({
        ...{ code: 'bad-arguments', outcome: 'not-done', message: expect.stringContaining(message) },
      })
    expect(() => called(session, 'onState', 'connected')).toThrow('listen to the state: listener is a function')
  }),
)

test.concurrent(
  'joinMembership, joinPartitioner: the same name twice in one session is refused until the first has left',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const options = { path: root, name: 'me', data: bytes('') }
    const first = await coordination.joinMembership(session, options)
    await expect(coordination.joinMembership(session, options)).rejects.toMatchObject({
      code: 'bad-arguments',
      message: `join membership: this session keeps ${root}/me already; leave that first, or join under another name`,
    })
    expect(first.held).toBe(true)
    await first.leave()
    await (await coordination.joinMembership(session, options)).leave()
    const member = { path: `${root}/p`, id: 'me', items: ['a'], onAcquired: run, onRelease: run, onLost: run }
    const division = await coordination.joinPartitioner(session, member)
    expect(await ending(coordination.joinPartitioner(session, member))).toBe('bad-arguments not-done')
    await division.leave()
  }),
)

test.concurrent(
  'errors say what was demanded, and what to do',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const hint = 'ZooKeeper answered no-node [-101]: the node above it is missing; ensurePath() makes it'
    await expect(session.create(`${root}/a/b`, bytes(''))).rejects.toThrow(`create ${root}/a/b: ${hint}`)
    const check = { op: 'check', path: root, version: 'any' } as const
    await expect(session.multi([check, { op: 'create', path: `${root}/a/b`, data: bytes('') }])).rejects.toMatchObject({
      message: `create ${root}/a/b: ${hint} (operation 1 of the transaction, from 0)`,
      operationIndex: 1,
    })
    const meanwhile = 'it changed meanwhile: read it and decide again'
    const demanded = `${root} at version 7: ZooKeeper answered bad-version [-103]: ${meanwhile}`
    await expect(session.set(root, bytes(''), 7)).rejects.toThrow(`set ${demanded}`)
    await expect(session.delete(root, 7)).rejects.toThrow(`delete ${demanded}`)
    await expect(session.multi([{ ...check, version: 7 }])).rejects.toThrow(`check ${demanded} (operation 0`)
    await session.create(`${root}/one`, bytes(''), 'ephemeral')
    await expect(session.delete(root, 'any')).rejects.toThrow('[-111]: deleteTree() deletes what is below too')
    await expect(session.create(`${root}/one/two`, bytes(''))).rejects.toThrow(
      'no-children-for-ephemerals [-108]: its parent is ephemeral: create it elsewhere',
    )
    const hold = await coordination.exclusiveLock(session, { path: `${root}/l`, id: 'a' }).acquire()
    await expect(called(hold, 'release', 'now')).rejects.toThrow(/^release .*: options is an object with signal/)
    const barrier = coordination.barrier(session, { path: `${root}/b` })
    await barrier.set()
    for (const [reason, text] of [
      [new Error('the user left'), 'aborted by the caller: the user left'],
      ['the user left', 'aborted by the caller: the user left'],
      [undefined, 'aborted by the caller'],
    ] as const) {
      const signal = AbortSignal.abort(reason)
      const cause: unknown = signal.reason
      const aborted = { code: 'aborted', cause }
      await expect(session.get(root, { signal })).rejects.toMatchObject({ ...aborted, message: `get ${root}: ${text}` })
      const message = `wait at barrier ${root}/b: ${text}`
      await expect(barrier.wait({ signal })).rejects.toMatchObject({ ...aborted, message })
    }
    const closed = 'the session is closed; open another with openSession()'
    const [waited] = await Promise.allSettled([barrier.wait(), session.close()])
    expect(waited).toMatchObject({ reason: { code: 'closed', message: `wait at barrier ${root}/b: ${closed}` } })
    await expect(session.get(root)).rejects.toMatchObject({ code: 'closed', message: `get ${root}: ${closed}` })
  }),
)
