import { connect } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { FakeClock, seededRandom } from '@catchment/testing'
import { errorCode, eventType, JuteWriter, opcode } from '@catchment/zookeeper-wire'
import { startServer, type ServerOptions, type ZookeeperServer } from '../src/server/server.ts'
import { mode, RawClient, readStat, writeCreate, type Handshake, type Reply } from './raw-client.ts'

const clients: RawClient[] = []
const servers: ZookeeperServer[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy()
  for (const server of servers.splice(0)) await server.close()
})

interface World {
  readonly server: ZookeeperServer
  readonly clock: FakeClock
  readonly client: (handshake?: Handshake) => Promise<RawClient>
}

async function world(options: Partial<ServerOptions> = {}): Promise<World> {
  const clock = new FakeClock()
  const listen = { host: '127.0.0.1', port: 0 }
  const server = await startServer({ listen, clock, random: seededRandom(1), ...options })
  servers.push(server)
  const client = async (handshake?: Handshake): Promise<RawClient> => {
    const opened = await RawClient.open(server.port, handshake)
    clients.push(opened)
    return opened
  }
  return { server, clock, client }
}

/** Sends raw bytes on a new connection and waits until the server has closed it. */
async function refused(server: ZookeeperServer, bytes: Buffer | string): Promise<void> {
  const client = new RawClient(server.port)
  clients.push(client)
  client.raw(bytes)
  await client.closed
}

const heard = (client: RawClient): [number, string][] => client.notifications.map(({ type, path }) => [type, path])

describe('the handshake', () => {
  test('negotiates the timeout within the bounds', async () => {
    const { client } = await world({ sessionTimeoutMs: { min: 2_000, max: 20_000 } })
    expect((await client({ timeoutMs: 1 })).session.timeoutMs).toBe(2_000)
    expect((await client({ timeoutMs: 5_000 })).session.timeoutMs).toBe(5_000)
    expect((await client({ timeoutMs: 90_000 })).session.timeoutMs).toBe(20_000)
  })

  test('a session comes back with its id and password; its former connection ends', async () => {
    const { server, client } = await world()
    const first = await client()
    await first.create('/e', { mode: mode.ephemeral })
    const second = await client(first.session)
    await first.closed
    expect(second.session).toEqual(first.session)
    expect(server.stats.closed.get('sessionMoved')).toBe(1)
    expect(readStat((await second.exists('/e')).body).ephemeralOwner).toBe(first.session.sessionId)
  })

  test('another password, or an unknown session, is notified that it has expired', async () => {
    const { client } = await world()
    const owner = await client()
    const thief = await client({ ...owner.session, password: Buffer.alloc(16, 1) })
    expect(thief.session).toEqual({ sessionId: 0n, timeoutMs: 0, password: Buffer.alloc(16) })
    await thief.closed
    const stranger = await client({ sessionId: 99n })
    expect(stranger.session.sessionId).toBe(0n)
    await owner.closed // as in ZooKeeper, which cuts before it looks at the password; the session lives
    expect((await client(owner.session)).session).toEqual(owner.session)
  })

  test('a client that has seen a later zxid is refused without an answer', async () => {
    const { server, client } = await world()
    await expect(client({ lastZxidSeen: 1_000n })).rejects.toThrow('closed')
    expect(server.stats.closed.get('zxidAhead')).toBe(1)
  })

  test('a socket that says nothing is closed', async () => {
    const { server, clock } = await world()
    const silent = new RawClient(server.port)
    clients.push(silent)
    silent.raw('\0')
    while (server.stats.connections === 0) await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(10_000)
    await silent.closed
    expect(server.stats.closed.get('noHandshake')).toBe(1)
  })
})

describe('sessions', () => {
  test('expire when nothing was heard for their timeout; watchers hear of their ephemerals', async () => {
    const { server, clock, client } = await world()
    const watcher = await client({ timeoutMs: 60_000 })
    const dying = await client({ timeoutMs: 4_000 })
    await dying.create('/e', { mode: mode.ephemeral })
    await watcher.exists('/e', true)
    await watcher.getChildren('/', true)
    await clock.advance(3_999)
    expect((await dying.request(opcode.ping)).error).toBe(0)
    await clock.advance(3_999)
    expect(server.sessions()).toHaveLength(2)
    await clock.advance(1)
    await dying.closed
    expect((await watcher.exists('/e')).error).toBe(errorCode.noNode)
    expect(heard(watcher)).toEqual([
      [eventType.deleted, '/e'],
      [eventType.childrenChanged, '/'],
    ])
    expect(server.sessions().map(({ id }) => id)).toEqual([watcher.session.sessionId])
    expect(server.stats.sessionsExpired).toBe(1)
  })

  test('closeSession answers, then ends the connection; watchers hear of the ephemerals', async () => {
    const { client } = await world()
    const [leaving, watcher] = [await client(), await client()]
    await leaving.create('/e', { mode: mode.ephemeral })
    await watcher.getData('/e', true)
    const created = (await watcher.exists('/e')).zxid
    const reply = await leaving.request(opcode.closeSession)
    expect([reply.error, reply.zxid]).toEqual([0, created + 1n])
    await leaving.closed
    await watcher.until(() => watcher.notifications.length > 0)
    expect(heard(watcher)).toEqual([[eventType.deleted, '/e']])
    expect((await client(leaving.session)).session.sessionId).toBe(0n)
  })

  test('expireSession and dropConnections do what they say', async () => {
    const { server, client } = await world()
    const [one, two] = [await client(), await client()]
    expect(server.dropConnections(two.session.sessionId)).toBe(1)
    await two.closed
    expect(server.sessions().map(({ connected }) => connected)).toEqual([true, false])
    expect((await client(two.session)).session.sessionId).toBe(two.session.sessionId)
    expect(server.expireSession(one.session.sessionId)).toBe(true)
    expect(server.expireSession(one.session.sessionId)).toBe(false)
    await one.closed
  })

  test('pause: nothing is answered, time goes on; resume: what was sent is answered', async () => {
    const { server, clock, client } = await world()
    const [short, long] = [await client({ timeoutMs: 4_000 }), await client({ timeoutMs: 60_000 })]
    server.pause()
    const answer = long.exists('/')
    const late = RawClient.open(server.port)
    await clock.advance(4_000)
    expect(server.sessions()).toHaveLength(1)
    expect(long.packets).toEqual([])
    server.resume()
    expect((await answer).error).toBe(0)
    await short.closed
    clients.push(await late)
  })
})

describe('requests', () => {
  test('a refused multi answers each operation; the header says ok', async () => {
    const { client } = await world()
    const one = await client()
    const { error, body } = await one.request(opcode.multi, (writer) => {
      writeCreate(writer.int(opcode.create).bool(false).int(-1), '/a', {})
      writer.int(opcode.delete).bool(false).int(-1).string('/none').int(-1)
      writer.int(opcode.check).bool(false).int(-1).string('/').int(-1)
      writer.int(-1).bool(true).int(-1)
    })
    const results = [0, 1, 2].map(() => [body.int(), body.bool(), body.int(), body.int()])
    expect(error).toBe(0)
    expect(results).toEqual([
      [-1, false, 0, 0],
      [-1, false, errorCode.noNode, errorCode.noNode],
      [-1, false, errorCode.runtimeInconsistency, errorCode.runtimeInconsistency],
    ])
    expect([body.int(), body.bool(), body.int(), body.remaining]).toEqual([-1, true, -1, 0])
    expect((await one.exists('/a')).error).toBe(errorCode.noNode)
  })

  test('create2 inside a multi is answered as create, as ZooKeeper does', async () => {
    const { client } = await world()
    const { body } = await (
      await client()
    ).request(opcode.multi, (writer) => {
      writeCreate(writer.int(opcode.create2).bool(false).int(-1), '/a', {})
      writer.int(-1).bool(true).int(-1)
    })
    expect([body.int(), body.bool(), body.int(), body.string()]).toEqual([opcode.create, false, 0, '/a'])
    expect([body.int(), body.bool(), body.int(), body.remaining]).toEqual([-1, true, -1, 0])
  })

  test('auth: a digest opens what it closed; an unknown scheme ends the connection', async () => {
    const { client } = await world()
    const [ann, other] = [await client(), await client()]
    const auth = (writer: JuteWriter): unknown => writer.int(0).string('digest').buffer(Buffer.from('ann:secret'))
    await ann.request(opcode.auth, auth)
    await ann.request(opcode.create, (writer) => {
      writeCreate(writer, '/secret', { acl: [{ permissions: 31, scheme: 'auth', id: '' }] })
    })
    expect((await ann.getData('/secret')).error).toBe(0)
    expect((await other.getData('/secret')).error).toBe(errorCode.noAuth)
    const unknown = await other.request(opcode.auth, (writer) => writer.int(0).string('world').buffer(Buffer.alloc(0)))
    expect(unknown.error).toBe(errorCode.authFailed)
    await other.closed
  })

  test('a body that is none is answered with MARSHALLINGERROR; an unknown opcode ends the connection', async () => {
    const { client } = await world()
    const one = await client()
    expect((await one.request(opcode.create, (writer) => writer.int(77))).error).toBe(errorCode.marshallingError)
    expect((await one.exists('/')).error).toBe(0)
    expect((await one.request(555)).error).toBe(errorCode.unimplemented)
    await one.closed
  })

  test('a check outside a multi: refused it is answered, holding it ends the connection unanswered', async () => {
    const { client } = await world()
    const one = await client()
    const check = (version: number): Promise<Reply> =>
      one.request(opcode.check, (writer) => writer.string('/').int(version))
    expect((await check(7)).error).toBe(errorCode.badVersion)
    await expect(check(0)).rejects.toThrow('closed the connection')
    expect(one.packets).toHaveLength(1)
  })

  test('whatever would write takes a zxid, refused, unreadable or not for clients', async () => {
    const { client } = await world()
    const one = await client()
    const { zxid } = await one.exists('/')
    const replies = [await one.create('/'), await one.request(opcode.multi), await one.request(opcode.reconfig)]
    replies.push(
      await one.request(opcode.deleteContainer),
      await one.exists('/none'),
      await one.request(opcode.getData),
    )
    expect(replies.map((reply) => [reply.zxid - zxid, reply.error])).toEqual([
      [1n, errorCode.nodeExists],
      [2n, errorCode.marshallingError],
      [3n, errorCode.unimplemented],
      [4n, errorCode.badArguments],
      [4n, errorCode.noNode],
      [4n, errorCode.marshallingError],
    ])
  })

  test('a packet of more than jute.maxbuffer ends the connection, one of that size does not', async () => {
    const { server, client } = await world()
    const one = await client()
    const overhead = 8 + 4 + 2 + 4 + 4
    expect((await one.create('/a')).error).toBe(0)
    expect((await one.setData('/a', 'x'.repeat(0xfffff - overhead))).error).toBe(0)
    await expect(one.setData('/a', 'x'.repeat(0xfffff - overhead + 1))).rejects.toThrow('closed')
    expect(server.stats.closed.get('tooLong')).toBe(1)
  })

  test('hostile bytes close their connection, for a reason, and harm no one else', async () => {
    const { server, client } = await world()
    const good = await client({ timeoutMs: 60_000 })
    const handshake = new JuteWriter()
      .buffer(new JuteWriter().int(0).long(0n).int(9).long(0n).buffer(Buffer.alloc(16)).end())
      .end()
    await refused(server, new JuteWriter().buffer(Buffer.from('short')).end())
    await refused(server, Buffer.from('GET / HTTP/1.1\r\n\r\n'))
    await refused(server, Buffer.concat([handshake, new JuteWriter().buffer(Buffer.from('x')).end()]))
    expect(Object.fromEntries(server.stats.closed)).toEqual({ malformed: 2, tooLong: 1 })
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.uint8Array({ maxLength: 60 }), async (shakesHands, array) => {
        const junk = new JuteWriter().buffer(Buffer.from(array)).end()
        const end = Buffer.from([255, 255, 255, 255])
        await refused(server, Buffer.concat([...(shakesHands ? [handshake] : []), junk, end]))
        expect((await good.exists('/')).error).toBe(0)
      }),
      { numRuns: 60 },
    )
  })

  test('a full tree refuses what would grow it, and takes deletes', async () => {
    const { client } = await world({ limits: { treeBytesMax: 10_000 } })
    const one = await client()
    expect((await one.create('/a', { data: 'x'.repeat(10_000) })).error).toBe(0)
    expect((await one.create('/b')).error).toBe(errorCode.quotaExceeded)
    expect((await one.setData('/a', '')).error).toBe(errorCode.quotaExceeded)
    expect((await one.getData('/a')).error).toBe(0)
    expect((await one.remove('/a')).error).toBe(0)
    expect((await one.create('/b')).error).toBe(0)
  })

  test('a connection too many is closed', async () => {
    const { server, client } = await world({ limits: { connectionsMax: 1 } })
    const one = await client()
    await refused(server, 'ruok')
    expect(server.stats.closed.get('tooMany')).toBe(1)
    expect((await one.exists('/')).error).toBe(0)
  })
})

describe('four-letter words', () => {
  test.each([
    ['ruok', /^imok$/],
    ['srvr', /^Zookeeper version: .*\n(.*\n)*Mode: standalone\nNode count: 5\n$/],
    ['stat', /\nClients:\n \/127\.0\.0\.1:\d+\[/],
    ['mntr', /^zk_server_state\tstandalone$/m],
    ['isro', /^rw$/],
    ['envi', /^Environment:\nzookeeper\.version=3\.8\.0/],
    ['cons', /^ \/127\.0\.0\.1:\d+\[1\]\(queued=0,recved=\d,sent=\d,sid=0x[1-9a-f][0-9a-f]+,to=10000\)\n/],
    ['wchs', /^1 connections watching 1 paths\nTotal watches:1\n$/],
    ['dump', /\nSessions with Ephemerals \(1\):\n0x[0-9a-f]+:\n\t\/e\nConnections dump:\n/],
    ['conf', /^clientPort=\d+\ndataDir=\(memory\)\n/],
  ])('%s', async (word, expected) => {
    const { server, client } = await world()
    const one = await client()
    if (word === 'dump') await one.create('/e', { mode: mode.ephemeral })
    if (word === 'wchs') await one.exists('/a', true)
    const answer = await new Promise<string>((resolve) => {
      let text = ''
      const socket = connect(server.port, '127.0.0.1', () => socket.write(word))
      socket.setEncoding('utf8')
      socket.on('data', (chunk: string) => (text += chunk))
      socket.on('close', () => {
        resolve(text)
      })
    })
    expect(answer).toMatch(expected)
  })
})

describe('startServer', () => {
  test('says so when the port is in use', async () => {
    const { server } = await world()
    await expect(world({ listen: { host: '127.0.0.1', port: server.port } })).rejects.toMatchObject({
      code: 'zookeeper-listen',
      message: expect.stringContaining('in use') as unknown,
    })
  })

  test('close leaves no timer behind', async () => {
    const { server, clock, client } = await world()
    await client()
    await server.close()
    await server.close()
    expect(await server.ended).toBeUndefined()
    expect(clock.pendingTimers).toBe(0)
  })
})
