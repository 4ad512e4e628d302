import { afterAll } from '@jest/globals'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import { realClock, realRandom } from '@catchment/runtime'
import { startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { openSession, type SessionState, type ZooKeeperSession } from '../src/index.ts'
import { Proxy } from './proxy.ts'

/** A test's network: one server, and sessions that reach it each through a proxy of its own. */
export interface World {
  readonly server: ZookeeperServer | undefined
  readonly root: string
  readonly session: (options?: { sessionTimeoutMs?: number }) => Promise<Client>
}

export interface Client {
  readonly session: ZooKeeperSession
  readonly network: Proxy
  /** All states since the opening. */
  readonly states: SessionState[]
  /** The next change to `state`, or at once if it is in it. */
  readonly reaches: (state: SessionState) => Promise<void>
}

let counter = 0

// The project `conformance` of jest.config.js says so: the same suite on the real ZooKeeper, one server for a file.
const onReal = 'catchmentZooKeeper' in globalThis
const undo: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

let realPort: Promise<number> | undefined
async function startReal(): Promise<number> {
  const directory = await tempDirectory()
  undo.push(() => directory.remove())
  const real = await startRealZooKeeper({ directory: directory.path, sessionTimeoutMsMin: 500 })
  undo.push(() => real.stop())
  return real.port
}

/**
 * Runs `story` on an embedded server of its own, or on the real ZooKeeper, below a root of its own. Closes whatever it
 * opened.
 */
export function inWorld(story: (world: World) => Promise<void>): () => Promise<void> {
  return async () => {
    const server = onReal
      ? undefined
      : await startServer({
          listen: { host: '127.0.0.1', port: 0 },
          clock: realClock,
          random: realRandom,
          sessionTimeoutMs: { min: 500, max: 60_000 },
        })
    const port = server?.port ?? (await (realPort ??= startReal()))
    const opened: { close(): Promise<void> }[] = []
    counter += 1
    const root = `/test-${process.pid}-${Date.now()}-${counter}`
    try {
      await story({
        server,
        root,
        session: async (options) => {
          const client = await openClient(port, options?.sessionTimeoutMs ?? 5_000)
          opened.push(client.session, client.network)
          await client.session.ensurePath(root)
          return client
        },
      })
    } finally {
      for (const one of opened) await one.close()
      await server?.close()
    }
  }
}

async function openClient(port: number, sessionTimeoutMs: number): Promise<Client> {
  const network = await Proxy.before(port)
  const session = await openSession({
    servers: network.address,
    sessionTimeoutMs,
    clock: realClock,
    random: realRandom,
  })
  const states: SessionState[] = []
  session.onState((state) => states.push(state))
  return {
    session,
    network,
    states,
    reaches: (state) =>
      new Promise((resolve) => {
        if (session.state === state) resolve()
        const unsubscribe = session.onState((now) => {
          if (now !== state) return
          unsubscribe()
          resolve()
        })
      }),
  }
}

/** What callbacks have told so far, and a wait for what they will. */
export class Told<T> {
  readonly all: T[] = []
  readonly #waiting = new Set<() => void>()

  readonly tell = (value: T): void => {
    this.all.push(value)
    for (const check of [...this.#waiting]) check()
  }

  get last(): T | undefined {
    return this.all.at(-1)
  }

  /** Resolves with the first told value, past or coming, that fits. */
  first(fits: (value: T) => boolean): Promise<T> {
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

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array | undefined): string | undefined =>
  data === undefined ? undefined : new TextDecoder().decode(data)

/** The code (and outcome) that a call ended with. */
export async function ending(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && 'outcome' in thrown)
      return `${String(thrown.code)} ${String(thrown.outcome)}`
    throw thrown
  }
}
