// Random requests, drawn so that they often meet: few paths, few versions, few identities, much that is wrong.

import type { Random } from '@catchment/runtime'
import { seededRandom } from '@catchment/testing'
import type { JuteReader } from '@catchment/zookeeper-wire'
import type { Handshake, Notification, RawClient, Reply } from '../../../packages/embedded-zookeeper/test/raw-client.ts'
import {
  aclAndStat,
  body,
  dataAndStat,
  int,
  nothing,
  op,
  open,
  results,
  stat,
  text,
  textAndStat,
  texts,
  textsAndStat,
  type Acl,
  type Body,
  type Stat,
} from './wire.ts'

interface Operation {
  readonly name: string
  readonly body: Body
  /** Reads the answer of one that succeeded. */
  readonly read: (reader: JuteReader) => unknown
  /** Takes a zxid, whether it succeeds or not. */
  readonly writes: boolean
}

const names = ['', '/a', '/a', '/b', '/b', '/a/x', '/a/x', '/a/y', '/b/z', '/a/x/1']
const wrong = ['/a/', '/a//x', '/a/..', '/a/\u0001', '/ä']
const versions = [-1, -1, -1, -1, 0, 1, 2]
const modes = [0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 9]

const digest = 'ann:7RJfAeIvrl4zdj6sS2fXrQHDvHM=' // of ann:secret
const secret = 'ann:secret'
const acl = (permissions: number, scheme: string, id: string): Acl => ({ permissions, scheme, id })
const acls: readonly (readonly Acl[])[] = [
  ...Array.from({ length: 12 }, () => open),
  [acl(1, 'world', 'anyone'), acl(31, 'digest', digest)],
  [acl(31, 'auth', ''), acl(31, 'auth', '')],
  [acl(31, 'auth', 'x'), acl(1, 'digest', 'bob:x'), acl(31, 'digest', digest)],
  [acl(31, 'ip', '127.0.0.1')],
  [acl(23, 'ip', '127.0.0.0/8')],
  [acl(15, 'ip', '10.0.0.0/8'), acl(17, 'world', 'anyone')],
  [],
  [acl(31, 'world', 'no one')],
  [acl(31, 'digest', 'colonless')],
  [acl(31, 'digest', 'empty:')],
  [acl(31, 'ip', '127.0.0.0/33')],
  [acl(31, 'strange', 'x')],
]

/** Draws operations on the nodes below `root`. */
class Operations {
  readonly #random: Random
  readonly #root: string

  constructor(random: Random, root: string) {
    this.#random = random
    this.#root = root
  }

  pick<T>(from: readonly T[]): T {
    const [one] = from.slice(Math.floor(this.#random.float() * from.length))
    if (one === undefined) throw new Error('nothing to pick from')
    return one
  }

  chance(probability: number): boolean {
    return this.#random.float() < probability
  }

  /** `zxids`: those that are known, oldest first. */
  next(zxids: readonly bigint[]): Operation {
    return this.pick([
      ...Array.from({ length: 10 }, () => () => this.#write()),
      ...Array.from({ length: 7 }, () => () => this.#read()),
      ...Array.from({ length: 2 }, () => () => this.#multi()),
      ...Array.from({ length: 4 }, () => () => this.#watch()),
      () => this.#multiRead(),
      () => this.#setWatches(zxids),
      () => this.#rare(),
    ])()
  }

  #path(): string {
    return this.chance(0.03) ? this.#root + this.pick(wrong) : this.#root + this.pick(names)
  }

  /** Not the root: its siblings are not ours alone. */
  #child(): string {
    return this.#root + this.pick(this.chance(0.03) ? [...wrong, '/\ud83d\ude00'] : names.slice(1))
  }

  #create(): Operation {
    const at = this.#child()
    const how = { data: this.pick(['', 'x', 'yy']), mode: this.pick(modes), acl: this.pick(acls) }
    const ttl = this.pick([3_600_000n, 3_600_000n, 1n, 0n]) // one below 0 ends the real server
    const kind = this.pick(['create', 'create', 'create', 'create2', 'createContainer', 'createTtl'] as const)
    const named = `${kind} ${at} mode ${how.mode} ${JSON.stringify(how.acl)}`
    if (kind === 'create') return write(named, body.create(at, how), text)
    if (kind === 'create2') return write(named, body.create2(at, how), textAndStat)
    if (kind === 'createContainer') return write(named, body.createContainer(at), textAndStat)
    const mode = this.pick([5, 5, 6, 0])
    return write(`${named} ${mode} ttl ${ttl}`, body.createTtl(at, ttl, { ...how, mode }), textAndStat)
  }

  #write(): Operation {
    const [at, version] = [this.#path(), this.pick(versions)]
    return this.pick([
      () => this.#create(),
      () => this.#create(),
      () => write(`delete ${at} ${version}`, body.delete(at, version), nothing),
      () => write(`setData ${at} ${version}`, body.setData(at, this.pick(['', 'one', 'three']), version), stat),
      () => this.#setAcl(at, version),
    ])()
  }

  #setAcl(at: string, version: number): Operation {
    const list = this.pick(acls)
    return write(`setAcl ${at} ${version} ${JSON.stringify(list)}`, body.setAcl(at, list, version), stat)
  }

  #read(): Operation {
    const at = this.#path()
    const watch = this.chance(0.5)
    const what = `${at}${watch ? ' watch' : ''}`
    return this.pick([
      () => read(`exists ${what}`, body.exists(at, watch), stat),
      () => read(`getData ${what}`, body.getData(at, watch), dataAndStat),
      () => read(`getChildren ${what}`, body.getChildren(at, watch), texts),
      () => read(`getChildren2 ${what}`, body.getChildren2(at, watch), textsAndStat),
      () => read(`getAcl ${at}`, body.getAcl(at), aclAndStat),
      () => read(`allChildrenNumber ${at}`, body.allChildrenNumber(at), int),
      () => read(`getEphemerals ${at}`, body.getEphemerals(this.pick([at, '/', ' '])), texts),
      () => read('sync', body.sync(this.#root), text),
      () => read('whoAmI', body.whoAmI(), pairs),
    ])()
  }

  #watch(): Operation {
    const at = this.#path()
    const [mode, type] = [this.pick([0, 0, 0, 1, 1, 1, 2]), this.pick([1, 2, 3, 3, 4])]
    return this.pick([
      () => read(`addWatch ${at} ${mode}`, body.addWatch(at, mode), int),
      () => read(`addWatch ${at} ${mode}`, body.addWatch(at, mode), int),
      () => read(`removeWatches ${at} ${type}`, body.removeWatches(at, type), nothing),
      () => read(`checkWatches ${at} ${type}`, body.checkWatches(at, type), nothing),
    ])()
  }

  #multi(): Operation {
    const operations = Array.from({ length: this.pick([0, 1, 2, 2, 3, 4]) }, () => this.#inMulti())
    const named = `multi [${operations.map(({ name }) => name).join(', ')}]`
    return write(named, body.multi(...operations.map((one) => one.body)), results)
  }

  /** The mode of a TTL node in a create that has none makes the real server answer the whole multi MARSHALLINGERROR. */
  #inMulti(): Operation {
    const [at, version] = [this.#path(), this.pick(versions)]
    if (this.chance(0.3)) return read(`check ${at} ${version}`, body.check(at, version), nothing)
    for (;;) {
      const one = this.#write()
      if (one.body.type !== op.setAcl && !one.name.includes(' mode 5')) return one
    }
  }

  #multiRead(): Operation {
    const paths = Array.from({ length: this.pick([1, 2, 3]) }, () => this.#path())
    const bodies = paths.map((at) => (this.chance(0.5) ? body.getData(at, this.chance(0.5)) : body.getChildren(at)))
    return read(`multiRead ${paths.join(' ')}`, body.multiRead(...bodies), results)
  }

  #setWatches(zxids: readonly bigint[]): Operation {
    const since = this.pick([0, ...zxids.keys()])
    const lists = Array.from({ length: 5 }, () => Array.from({ length: this.pick([0, 0, 1, 2]) }, () => this.#path()))
    const named = `since ${since} ${JSON.stringify(lists)}`
    const [data = [], exist = [], child = []] = lists
    const zxid = zxids.at(since) ?? 0n
    return this.chance(0.5)
      ? read(`setWatches2 ${named}`, body.setWatches2(zxid, ...lists), nothing)
      : read(`setWatches ${named}`, body.setWatches(zxid, data, exist, child), nothing)
  }

  #rare(): Operation {
    const broken = { write: (): undefined => undefined }
    return this.pick([
      () => write('create without a body', { type: op.create, ...broken }, nothing),
      () => write('multi without a body', { type: op.multi, ...broken }, nothing),
      () => read('getData without a body', { type: op.getData, ...broken }, nothing),
      () => read('multiRead with a write', body.multiRead(body.delete(this.#root)), nothing),
      () => read('auth digest', body.auth('digest', secret), nothing),
      () => read('auth ip', body.auth('ip', ''), nothing),
      () => read('auth strange', body.auth('strange', 'x'), nothing),
      () => read('opcode 555', { type: 555, ...broken }, nothing),
    ])()
  }
}

const write = (name: string, request: Body, reader: Operation['read']): Operation => ({
  name,
  body: request,
  read: reader,
  writes: true,
})
const read = (name: string, request: Body, reader: Operation['read']): Operation => ({
  ...write(name, request, reader),
  writes: false,
})

const pairs = (reader: JuteReader): string[] => reader.vector(() => `${reader.string()}:${reader.string()}`).toSorted()

export const requestsPerPlay = 250
const clientsPerPlay = 3

export type Open = (handshake?: Handshake) => Promise<RawClient>

/** Requests with their answers, one line each, in words that are the same on every server. */
class Play {
  readonly lines: string[] = []
  readonly #open: Open
  readonly #operations: Operations
  readonly #clients: RawClient[] = []
  readonly #zxids: bigint[] = []
  readonly #sessions: bigint[] = []
  /** How many packets of a client have been reported. */
  readonly #reported = new Map<RawClient, number>()

  constructor(open: Open, operations: Operations) {
    this.#open = open
    this.#operations = operations
  }

  async run(root: string): Promise<string[]> {
    for (let at = 0; at < clientsPerPlay; at += 1) await this.#replace(at)
    const begin = write('create root', body.create(root), text)
    await this.#request(0, [begin])
    for (let step = 0; step < requestsPerPlay; step += 1) {
      const at = this.#operations.pick(this.#clients.map((_, index) => index))
      if (this.#operations.chance(0.03)) await this.#unusual(at)
      else await this.#request(at, this.#burst())
    }
    return this.lines
  }

  /**
   * Mostly one request; now and then some at once, whose answers and events have to come in their order. On the real
   * server auth overtakes those before it, and writes after a setACL may still be judged by the former ACL.
   */
  #burst(): Operation[] {
    const length = this.#operations.pick([1, 1, 1, 1, 1, 1, 2, 4])
    const drawn = Array.from({ length }, () => this.#operations.next(this.#zxids))
    return length === 1 ? drawn : drawn.filter(({ name }) => !/^(opcode|auth|setAcl)/.test(name))
  }

  async #request(at: number, operations: readonly Operation[]): Promise<void> {
    const client = this.#client(at)
    const replies = await Promise.all(operations.map(({ body }) => client.request(body.type, body.write)))
    const answers = operations.map((operation, index) => this.#answer(operation, replies[index]))
    if (operations.some(({ name }) => hangsUp.test(name))) await this.#attach(at, client)
    const events = this.#eventsOf(client)
    const others = operations.some(({ writes }) => writes) ? await this.#eventsOfOthers(at) : ''
    const names = operations.map(({ name }) => name).join(' + ')
    this.lines.push(`${this.lines.length} c${at} ${names}: ${events}${answers.join(' + ')}${others}`)
  }

  #answer({ read, writes }: Operation, reply: Reply | undefined): string {
    if (reply === undefined) return 'nothing'
    if (writes) this.#zxids.push(reply.zxid)
    if (reply.error !== 0) return String(reply.error)
    const value = JSON.stringify(this.#view(read(reply.body)))
    return reply.body.remaining > 0 ? `${value} and ${reply.body.remaining} bytes more` : value
  }

  /** A session moves to another connection, ends, or is asked for with a wrong password. */
  async #unusual(at: number): Promise<void> {
    const client = this.#client(at)
    const what = this.#operations.pick(['moves', 'ends', 'ends', 'wrong password', 'vanishes'])
    if (what === 'moves') {
      await this.#attach(at, client)
    } else if (what === 'ends') {
      const { zxid } = await client.request(op.closeSession)
      this.#zxids.push(zxid)
      await client.closed
      await this.#replace(at)
    } else if (what === 'wrong password') {
      const thief = await this.#open({ ...client.session, password: Buffer.alloc(16, 7) })
      this.lines.push(`thief got ${thief.session.sessionId} ${thief.session.timeoutMs}`)
      await thief.closed
      await client.closed
      await this.#attach(at, client)
    } else {
      client.destroy()
      await this.#attach(at, client)
    }
    this.lines.push(`${this.lines.length} c${at} ${what}${await this.#eventsOfOthers(at, true)}`)
  }

  async #attach(at: number, former: RawClient): Promise<void> {
    const client = await this.#open({ ...former.session, timeoutMs: 30_000 })
    await former.closed
    this.lines.push(`c${at} attached ${client.session.sessionId === former.session.sessionId}`)
    this.#clients[at] = client
  }

  async #replace(at: number): Promise<void> {
    const client = await this.#open({ timeoutMs: 30_000 })
    this.#sessions.push(client.session.sessionId)
    this.#clients[at] = client
  }

  #client(at: number): RawClient {
    const client = this.#clients[at]
    if (client === undefined) throw new Error(`no client ${at}`)
    return client
  }

  /** What came to the others; a ping makes sure that it has come. When a session ends, its nodes go in any order. */
  async #eventsOfOthers(at: number, inAnyOrder = false): Promise<string> {
    const heard: string[] = []
    for (const [other, client] of this.#clients.entries()) {
      if (other === at) continue
      await client.request(op.ping)
      const events = this.#eventsOf(client, inAnyOrder)
      if (events !== '') heard.push(`; c${other} ${events}`)
    }
    return heard.join('')
  }

  #eventsOf(client: RawClient, inAnyOrder = false): string {
    const from = this.#reported.get(client) ?? 0
    this.#reported.set(client, client.packets.length)
    const events = client.packets
      .slice(from)
      .flatMap((packet) => (packet.kind === 'notification' ? [eventText(packet)] : packet.xid === -2 ? [] : ['|']))
    return (inAnyOrder ? events.toSorted() : events).join('').replace(/^\|$/, '')
  }

  /** A value with zxids and owners in words. */
  #view(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((one: unknown) => this.#view(one))
    if (isStat(value)) return this.#statView(value)
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#view(one)]))
    return value
  }

  #statView({ czxid, mzxid, pzxid, ctimeMs, mtimeMs, ephemeralOwner, ...rest }: Stat): unknown {
    const zxids = [czxid, mzxid, pzxid].map((zxid) => this.#zxids.indexOf(zxid))
    const session = this.#sessions.indexOf(ephemeralOwner)
    const owner = session === -1 ? ephemeralOwner.toString(16) : `session ${session}`
    return { ...rest, zxids, owner, timesRise: ctimeMs <= mtimeMs }
  }
}

/** After these the server closes the connection; it is attached again, so that the play goes on. */
const hangsUp = /^(opcode 555|auth strange)$/

const isStat = (value: unknown): value is Stat => typeof value === 'object' && value !== null && 'czxid' in value
const eventText = ({ type, path }: Notification): string => `<${type} ${path}>`

/** Reports a server the requests of a seed, below `root`; its answers. */
export function play(seed: number, root: string, open: Open): Promise<string[]> {
  return new Play(open, new Operations(seededRandom(seed), root)).run(root)
}
