import { expect, test } from '@jest/globals'
import { creatorAcl, digestAcl, openAcl, readOnlyAcl } from '../../src/session/contract/acls.ts'
import type { Operation, ReadOperation, Stat } from '../../src/session/contract/nodes.ts'
import type { WatchEvent } from '../../src/session/contract/session.ts'
import { ZooKeeperError } from '../../src/session/contract/errors.ts'
import { bytes, ending, inWorld, text, Heard } from '../world/world.ts'

test.concurrent(
  'createWithStat: the stat of the creation, of every mode',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const plain = await session.createWithStat(`${root}/p`, bytes('abc'))
    expect(plain).toMatchObject({ path: `${root}/p`, stat: { version: 0, dataLength: 3, ephemeralOwner: undefined } })
    expect(plain.stat).toEqual(await session.exists(`${root}/p`))
    const { path, stat } = await session.createWithStat(`${root}/e-`, bytes(''), 'ephemeral-sequential')
    expect([path, stat.ephemeralOwner]).toEqual([`${root}/e-0000000001`, session.sessionId])
    expect(stat.czxid > plain.stat.czxid).toBe(true)
    expect((await session.createWithStat(`${root}/c`, bytes(''), 'container')).stat.ephemeralOwner).toBeUndefined()
    const ttl = await session.createWithStat(`${root}/t-`, bytes(''), 'persistent-sequential-with-ttl', {
      ttlMs: 60_000,
    })
    expect([ttl.path, ttl.stat.ephemeralOwner]).toEqual([`${root}/t-0000000003`, undefined])
  }),
)

test.concurrent(
  'create: containers and nodes with a TTL; mode and ttlMs go together',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    expect(await session.create(`${root}/c`, bytes('c'), 'container')).toBe(`${root}/c`)
    await session.create(`${root}/c/child`, bytes(''))
    expect(await session.create(`${root}/t`, bytes('t'), 'persistent-with-ttl', { ttlMs: 60_000 })).toBe(`${root}/t`)
    expect(text((await session.get(`${root}/t`)).data)).toBe('t')
    const wrong = [
      session.create(`${root}/x`, bytes(''), 'persistent-with-ttl'),
      session.create(`${root}/x`, bytes(''), 'persistent', { ttlMs: 1 }),
      session.create(`${root}/x`, bytes(''), 'persistent-with-ttl', { ttlMs: 0 }),
      session.create(`${root}/x`, bytes(''), 'persistent-with-ttl', { ttlMs: 2 ** 40 }),
      session.multi([{ op: 'create', path: `${root}/x`, data: bytes(''), mode: 'persistent-with-ttl' }]),
    ]
    for (const call of wrong) expect(await ending(call)).toBe('bad-arguments not-done')
  }),
)

test.concurrent(
  'multi: what each operation gave, in its place and type, of every mode',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    await session.create(`${root}/n`, bytes('old'))
    await session.create(`${root}/gone`, bytes(''))
    const [path, stat, nothing, checked, container, ttl] = await session.multi([
      { op: 'create', path: `${root}/s-`, data: bytes(''), mode: 'ephemeral-sequential' },
      { op: 'set', path: `${root}/n`, data: bytes('new'), version: 0 },
      { op: 'delete', path: `${root}/gone`, version: 'any' },
      { op: 'check', path: root, version: 'any' },
      { op: 'create', path: `${root}/c`, data: bytes(''), mode: 'container', acl: readOnlyAcl },
      { op: 'create', path: `${root}/t`, data: bytes(''), mode: 'persistent-with-ttl', ttlMs: 60_000 },
    ])
    const created: readonly string[] = [path, container, ttl]
    const changed: Stat = stat
    expect(created).toEqual([`${root}/s-0000000002`, `${root}/c`, `${root}/t`])
    expect([changed.version, changed.dataLength, nothing, checked]).toEqual([1, 3, undefined, undefined])
    expect((await session.getAcl(`${root}/c`)).acl).toEqual(readOnlyAcl)
    expect(await session.multi([])).toEqual([])
  }),
)

test.concurrent(
  'multiRead: data and names, and an error in the place of what is missing',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    await session.create(`${root}/n`, bytes('n'))
    const [node, names, missing] = await session.multiRead([
      { op: 'get', path: `${root}/n` },
      { op: 'children', path: root },
      { op: 'get', path: `${root}/missing` },
    ])
    if (node instanceof ZooKeeperError || names instanceof ZooKeeperError) throw new Error('both are there')
    expect([text(node.data), node.stat.version, names.names]).toEqual(['n', 0, ['n']])
    expect(missing).toMatchObject({ code: 'no-node', operationIndex: 2 })
    expect(await session.multiRead([])).toEqual([])
  }),
)

test.concurrent(
  'getAcl, setAcl, create with one, addAuth: who may what, also after a reconnect',
  inWorld(async ({ session: open, root }) => {
    const { session, network, reaches } = await open()
    const stranger = (await open()).session
    expect((await session.getAcl(root)).acl).toEqual(openAcl)
    await session.addAuth({ scheme: 'digest', proof: 'ann:secret' })
    await session.create(`${root}/mine`, bytes('m'), 'persistent', { acl: creatorAcl })
    const own = digestAcl('ann', 'secret')
    expect((await session.getAcl(`${root}/mine`)).acl).toEqual([own])
    expect(await ending(stranger.get(`${root}/mine`))).toBe('no-auth not-done')
    expect((await session.setAcl(`${root}/mine`, [own, ...readOnlyAcl], 0)).aversion).toBe(1)
    expect(await ending(session.setAcl(`${root}/mine`, openAcl, 0))).toBe('bad-version not-done')
    expect(await ending(session.setAcl(`${root}/mine`, [], 'any'))).toBe('invalid-acl not-done')
    expect(text((await stranger.get(`${root}/mine`)).data)).toBe('m')
    expect(await ending(stranger.set(`${root}/mine`, bytes('x'), 'any'))).toBe('no-auth not-done')
    network.weather = 'refusing'
    await reaches('suspended')
    const waiting = session.set(`${root}/mine`, bytes('after'), 0) // the credentials go before it
    network.weather = 'through'
    expect((await waiting).version).toBe(1)
    const shown = (await session.whoAmI()).filter(({ scheme }) => scheme === 'digest')
    expect(shown.map(({ id }) => id.split(':')[0])).toEqual(['ann'])
    const ann = (await open()).session
    await ann.addAuth({ scheme: 'digest', proof: bytes('ann:secret') })
    await ann.delete(`${root}/mine`, 1)
  }),
)

test.concurrent(
  'addAuth: what the server refuses is a typed end of the call, and not shown again',
  inWorld(async ({ session: open, root }) => {
    const { session, reaches } = await open()
    expect(await ending(session.addAuth({ scheme: 'nonsense', proof: 'x' }))).toBe('auth-failed not-done')
    await reaches('connected')
    expect(await session.exists(root)).toBeDefined()
    expect(session.generation).toBe(1)
  }),
)

test.concurrent(
  'ephemerals and descendantCount: of this session, of any depth, and not of a neighbour whose name is longer',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const other = (await open()).session
    await session.ensurePath(`${root}/a/b`)
    await session.create(`${root}/a/b/e`, bytes(''), 'ephemeral')
    await session.create(`${root}/e`, bytes(''), 'ephemeral')
    await other.create(`${root}/other`, bytes(''), 'ephemeral')
    expect((await session.ephemerals(root)).sort()).toEqual([`${root}/a/b/e`, `${root}/e`])
    expect(await session.ephemerals(`${root}/a`)).toEqual([`${root}/a/b/e`])
    expect(await session.descendantCount(root)).toBe(5)
    await session.create(`${root}/ab`, bytes(''), 'ephemeral')
    expect(await session.ephemerals(`${root}/a`)).toEqual([`${root}/a/b/e`])
    expect((await session.ephemerals('/')).sort()).toEqual([`${root}/a/b/e`, `${root}/ab`, `${root}/e`])
    expect(await ending(session.descendantCount(`${root}/none`))).toBe('no-node not-done')
  }),
)

test.concurrent(
  'deleteTree: all levels (#127), also what others make there meanwhile; what is not there is no error',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    for (const path of ['a/b/c/d', 'a/b/e', 'a/f', 'keep']) await session.ensurePath(`${root}/${path}`)
    for (let index = 0; index < 250; index += 1) await session.create(`${root}/a/many-${index}`, bytes(''))
    const children = session.children.bind(session)
    session.children = async (...call) => {
      const answer = await children(...call)
      session.children = children
      await session.ensurePath(`${root}/a/late/child`)
      return answer
    }
    await session.deleteTree(`${root}/a`)
    expect((await session.children(root)).names).toEqual(['keep'])
    await session.deleteTree(`${root}/a`)
    expect(await ending(session.deleteTree('/'))).toBe('bad-arguments not-done')
    await session.ensurePath(`${root}/a/b`)
    expect(await ending(session.deleteTree(`${root}/a`, { timeoutMs: 0 }))).toMatch(/^timeout /)
    expect(await ending(session.deleteTree(`${root}/a`, { signal: AbortSignal.abort() }))).toBe('aborted not-done')
    expect(await ending(session.ensurePath(`${root}/x/y`, { timeoutMs: 0 }))).toMatch(/^timeout /)
    expect(await ending(session.ensurePath(`${root}/x/y`, { signal: AbortSignal.abort() }))).toBe('aborted not-done')
  }),
)

test.concurrent(
  'chroot: made by ensurePath; paths in answers, events, errors and lists are those of the caller',
  inWorld(async ({ session: open, root }) => {
    const outside = (await open()).session
    const { session, network, reaches } = await open({ chroot: `${root}/deep/chroot` })
    expect(await session.exists('/')).toBeUndefined()
    expect(await ending(session.create('/a', bytes('')))).toBe('no-node not-done')
    await session.ensurePath('/a/b')
    const heard = new Heard<WatchEvent>()
    await session.addWatch('/', heard.hear, { recursive: true })
    await session.get('/a', { watch: heard.hear })
    expect(await session.create('/a/s-', bytes(''), 'ephemeral-sequential')).toBe('/a/s-0000000001')
    expect((await session.createWithStat('/c', bytes(''))).path).toBe('/c')
    expect(await session.multi([{ op: 'create', path: '/d', data: bytes('') }])).toEqual(['/d'])
    expect(await session.ephemerals('/')).toEqual(['/a/s-0000000001'])
    expect((await session.children('/')).names.sort()).toEqual(['a', 'c', 'd'])
    await session.set('/', bytes('x'), 'any')
    await session.sync('/')
    expect(heard.all).toEqual([
      { type: 'created', path: '/a/s-0000000001' },
      { type: 'created', path: '/c' },
      { type: 'created', path: '/d' },
      { type: 'changed', path: '/' },
    ])
    await expect(session.get('/none')).rejects.toThrow('get /none:')
    network.weather = 'refusing'
    await reaches('suspended')
    await outside.set(`${root}/deep/chroot/a`, bytes('x'), 0)
    network.weather = 'through'
    expect(await heard.first(({ path, type }) => path === '/a' && type === 'changed')).toBeDefined()
    await session.deleteTree('/a')
    expect((await outside.children(`${root}/deep/chroot`)).names.sort()).toEqual(['c', 'd'])
  }),
)

test.concurrent(
  'chroot: the whole tree below it may be emptied, its own node stays',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open({ chroot: `${root}/chroot` })
    await session.ensurePath('/')
    expect((await session.exists('/'))?.numChildren).toBe(0)
    await session.ensurePath('/')
  }),
)

test.concurrent(
  'deleteTree: unknown when it fails once something may be gone, and then no delete of it is under way',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    for (const name of ['a', 'b']) await session.ensurePath(`${root}/t/${name}`)
    const remove = session.delete.bind(session)
    const late = new ZooKeeperError('timeout', 'the test let it be late')
    session.delete = () => Promise.reject(late)
    expect(await ending(session.deleteTree(`${root}/t`))).toBe('timeout not-done')
    session.delete = (path, ...call) => (path.endsWith('/a') ? Promise.reject(late) : remove(path, ...call))
    expect(await ending(session.deleteTree(`${root}/t`))).toBe('timeout unknown')
    session.delete = remove
    expect((await session.children(`${root}/t`)).names).toEqual(['a'])
  }),
)

test.concurrent(
  'create: takes no path from its options',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const limits = { path: `${root}/wrong`, timeoutMs: 1_000 }
    expect(await session.create(`${root}/right`, bytes(''), 'persistent', limits)).toBe(`${root}/right`)
    expect((await session.createWithStat(`${root}/too`, bytes(''), 'persistent', limits)).path).toBe(`${root}/too`)
    expect((await session.children(root)).names.sort()).toEqual(['right', 'too'])
  }),
)

test.concurrent(
  'multi and multiRead: a list that its owner changes after the call changes nothing',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const path = `${root}/none`
    const [writes, reads]: [Operation[], ReadOperation[]] = [[{ op: 'check', path, version: 7 }], [{ op: 'get', path }]]
    const written = session.multi(writes)
    const read = session.multiRead(reads)
    const other = session.exists(root)
    writes.length = 0
    reads.length = 0
    const message = `check ${path} at version 7: ZooKeeper answered no-node [-101] (operation 0 of the transaction, from 0)`
    await expect(written).rejects.toMatchObject({ code: 'no-node', message, operationIndex: 0 })
    expect(await read).toMatchObject([{ code: 'no-node', operationIndex: 0 }])
    expect((await other)?.numChildren).toBe(0)
  }),
)
