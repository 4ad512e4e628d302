import { realRandom, type Clock } from '@catchment/runtime'
import { eventually, patienceMs } from '@catchment/testing'
import { opcode } from '@catchment/zookeeper-wire'
import { RawClient, type Handshake } from '../../../embedded-zookeeper/test/raw-client.ts'
import { untilAnswered } from '../../src/attempts/until-answered.ts'
import { openSession } from '../../src/session/live-session.ts'
import type {
  CallOptions,
  ConnectSocket,
  SessionOptions,
  SessionState,
  ZooKeeperSession,
} from '../../src/session/contract/session.ts'
import { realNet, type Net } from './net.ts'
import { Proxy } from './proxy.ts'
import { ownServers, serverKind, sharedPorts, stretchedMs, type Servers } from './servers.ts'

/** A test's network: servers, and sessions that reach them each through a proxy of its own. */
export interface World {
  /** A node of this test alone. */
  readonly root: string
  /** Real time on real servers, virtual time on our own: stories read no other clock. */
  readonly clock: Clock
  readonly net: Net
  /** What a session needs to lie in this world that the story opens itself. */
  readonly place: { readonly clock: Clock; readonly connect: ConnectSocket; readonly connectTimeoutMs: number }
  /** What `probe` returns, as soon as it is neither undefined nor false. */
  readonly eventually: Eventually
  readonly session: (options?: ClientOptions) => Promise<Client>
  /** A client of bare packets, straight to the server of this index (the first unless given). Cut when the story ends. */
  readonly raw: (handshake?: Handshake, server?: number) => Promise<RawClient>
  /** Ends the session of `client` on the servers, as if its timeout had passed; `client` is not asked. */
  readonly expire: (client: Client) => Promise<void>
}

export type Eventually = <T>(what: string, probe: () => T | Promise<T>) => Promise<Exclude<T, undefined | false>>

/** Its session timeout is stretched on real servers. */
export interface ClientOptions extends Partial<Pick<SessionOptions, 'sessionTimeoutMs' | 'watchesMax' | 'auth'>> {
  /** Then the node of the test is not made in it. */
  readonly chroot?: string
}

export interface Client {
  readonly session: ZooKeeperSession
  readonly network: Proxy
  /** All states since the opening. */
  readonly states: SessionState[]
  /**
   * Resolves when it has come to `state`, at once if it is in it or has come to it since the mark, which moves on with
   * what it resolves with and with each fault of its network: on a busy machine a state may have passed before the story asks for it.
   */
  readonly reaches: (state: SessionState) => Promise<void>
  /** What was before no longer counts for `reaches`. */
  readonly mark: () => void
}

/** Longer than a busy machine stops a story for; those about expiry have their own. */
const sessionTimeoutMs = 10_000
const sessionTimeoutMsMax = 40_000

let counter = 0

/**
 * Runs `story` below a root of its own: on an embedded server of its own, or on the real server or ensemble that the
 * files of this project share. Closes whatever it opened.
 */
export function inWorld(story: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    if (serverKind === 'embedded') await onOwnServer(await ownServers(), story)
    else await inWorldOf(realNet, sharedPorts(), story)
  }
}

/** As inWorld, with real sockets and real time for our own server too: for what cannot live in memory. */
export function inRealWorld(story: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    if (serverKind === 'embedded') await onOwnServer(await ownServers({ net: realNet }), story)
    else await inWorldOf(realNet, sharedPorts(), story)
  }
}

async function onOwnServer(own: Servers, story: (world: World) => Promise<void>): Promise<void> {
  try {
    await own.net.run(inWorldOf(own.net, own.ports, story))
  } finally {
    await own.close()
  }
}

/** As inWorld, on servers that the story may kill. They are whole again when it ends; who gave them closes them. */
export function inWorldOn(
  servers: () => Promise<Servers>,
  story: (world: World, servers: Servers) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const given = await servers()
    const { net, ports } = given
    try {
      await net.run(inWorldOf(net, ports, (world) => story(world, given)))
    } finally {
      await given.heal()
    }
  }
}

async function inWorldOf(net: Net, ports: readonly number[], story: (world: World) => Promise<void>): Promise<void> {
  const opened: Client[] = []
  const raws: RawClient[] = []
  const openRaw = async (handshake: Handshake, server: number): Promise<RawClient> => {
    const raw = await RawClient.open(net.connect(ports[server % ports.length] ?? 0), handshake)
    raws.push(raw)
    return raw
  }
  counter += 1
  const root = `/test-${process.pid}-${Date.now()}-${counter}`
  try {
    await story({
      root,
      clock: net.clock,
      net,
      place: placeIn(net),
      eventually: (what, probe) => eventually(what, probe, patienceMs, net.clock),
      session: async (options = {}) => {
        const client = await openClient(net, ports, options)
        opened.push(client)
        const { session } = client
        if (options.chroot === undefined) await untilAnswered(session, (call) => session.ensurePath(root, call))
        return client
      },
      raw: (handshake = {}, server = 0) => openRaw(handshake, server),
      expire: async ({ network, mark }) => {
        mark()
        network.weather = 'refusing' // or it would come back while its session is being closed
        await (await openRaw(network.credentials, 0)).request(opcode.closeSession)
        network.weather = 'through'
      },
    })
  } finally {
    for (const raw of raws) raw.destroy()
    await Promise.all(opened.map(({ session }) => session.close()))
    await Promise.all(opened.map(({ network }) => network.close()))
  }
}

const placeIn = (net: Net): World['place'] => ({
  clock: net.clock,
  connect: ({ port }) => net.connect(port),
  connectTimeoutMs: patienceMs,
})

async function openClient(
  net: Net,
  ports: readonly number[],
  { chroot = '', ...options }: ClientOptions,
): Promise<Client> {
  const network = await Proxy.before(net, ...ports)
  const session = await openSession({
    ...options,
    sessionTimeoutMs: Math.min(stretchedMs(options.sessionTimeoutMs ?? sessionTimeoutMs), sessionTimeoutMsMax),
    ...placeIn(net),
    servers: `${network.address}${chroot}`,
    random: realRandom,
  })
  const states = new Heard<SessionState>()
  session.onState(states.hear)
  let seen = 0
  const mark = (): void => {
    seen = states.all.length
  }
  network.onFault = mark
  return {
    session,
    network,
    states: states.all,
    mark,
    reaches: async (state) => {
      const isNew = (at: number): boolean => at >= seen && states.all[at] === state
      if (session.state !== state || states.all.some((_, at) => isNew(at))) await states.first((_, at) => isNew(at))
      const at = states.all.findIndex((_, index) => isNew(index))
      seen = at < 0 ? states.all.length : at + 1
    },
  }
}

/** What callbacks have notified so far, and a wait for what they will. */
export class Heard<T> {
  readonly all: T[] = []
  readonly #waiting = new Set<() => void>()

  readonly hear = (value: T): void => {
    this.all.push(value)
    for (const check of [...this.#waiting]) check()
  }

  get last(): T | undefined {
    return this.all.at(-1)
  }

  /** Resolves with the first reported value, past or coming, that fits. */
  first(fits: (value: T, at: number) => boolean): Promise<T> {
    return new Promise((resolve) => {
      const check = (): void => {
        const index = this.all.findIndex(fits)
        const found = this.all.slice(index, index + 1)
        if (index < 0) return
        this.#waiting.delete(check)
        for (const value of found) resolve(value)
      }
      this.#waiting.add(check)
      check()
    })
  }
}

export { ending } from './ending.ts'
export { stretchedMs } from './servers.ts'
/** Limits as JavaScript hands them in, which no compiler has seen. */
export const wrongLimits = JSON.parse('{"timeoutMs":"2000"}') as CallOptions
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : new TextDecoder().decode(data)
