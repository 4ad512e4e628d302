import { createServer, type Server } from 'node:net'
import { CatchmentError, codeOf, type Clock, type Random } from '@catchment/runtime'
import { ClientConnection, type ConnectionHandler, type ServerSocket } from '../connections/connection.ts'
import { Engine } from './engine.ts'
import { answerTo, type Report } from './four-letter-words.ts'
import { defaultLimits, type Limits } from '../connections/limits.ts'
import { Journal } from '../storage/journal.ts'
import { decodeSnapshot, encodeSnapshot } from '../storage/snapshot.ts'
import { StateMachine } from '../tree/state-machine.ts'
import { Stats } from '../connections/stats.ts'
import { DataDirectory, type Recovered } from '../storage/storage.ts'

export interface ServerOptions {
  /** Port 0: any free one. Without it no port is opened: connections come by `accept`. */
  readonly listen?: { readonly host: string; readonly port: number }
  /** The directory of log and snapshots, made when missing. Without it everything lives in memory. */
  readonly data?: string
  /** In memory, begin with what another server's `snapshot()` gave. */
  readonly snapshot?: Buffer
  readonly clock: Clock
  readonly random: Random
  /** Bounds of the session timeouts that clients may negotiate; 1 s to 60 s. */
  readonly sessionTimeoutMs?: { readonly min: number; readonly max: number }
  readonly limits?: Partial<Limits>
}

export interface SessionView {
  readonly id: bigint
  readonly timeoutMs: number
  readonly connected: boolean
  readonly ephemerals: readonly string[]
}

export interface ZookeeperServer {
  readonly port: number
  readonly stats: Stats
  /** Resolves when the server has ended: with nothing after close(), with the error that ended it otherwise. */
  readonly ended: Promise<Error | undefined>
  /** Living sessions, connected or not. */
  sessions(): SessionView[]
  /** Serves a connection that did not come through the listener: a socket of a simulation, say. */
  accept(socket: ServerSocket): void
  /** The whole state, sessions included, as of this instant: what `snapshot` of another server begins with. */
  snapshot(): Buffer
  /** Ends a session as if its timeout had passed. False when there is none of this id. */
  expireSession(id: bigint): boolean
  /** Cuts the connection of a session, or all; sessions live on. Returns how many were cut. */
  dropConnections(sessionId?: bigint): number
  /** From now on as if the network delivered nothing: accepts, reads nothing, answers nothing. Time goes on. */
  pause(): void
  resume(): void
  /** Stops listening, ends all connections, waits until the log is on disk. Sessions stay in the data directory. */
  close(): Promise<void>
}

/**
 * Starts a standalone ZooKeeper server. Throws CatchmentError: `zookeeper-listen` when it cannot listen, `in-use` and
 * `zookeeper-damaged` of the data directory.
 */
export async function startServer(options: ServerOptions): Promise<ZookeeperServer> {
  const recovered = options.data === undefined ? undefined : await DataDirectory.open(options.data)
  const server = new RunningServer(options, recovered)
  try {
    await server.listen()
  } catch (thrown) {
    await server.close()
    throw thrown
  }
  return server
}

const defaultSessionTimeoutMs = { min: 1_000, max: 60_000 }

class RunningServer implements ZookeeperServer, ConnectionHandler {
  readonly stats = new Stats()
  readonly ended: Promise<Error | undefined>
  readonly #options: ServerOptions
  readonly #limits: Limits
  readonly #machine: StateMachine
  readonly #journal: Journal | undefined
  readonly #engine: Engine
  readonly #listener: Server
  readonly #connections = new Set<ClientConnection>()
  readonly #startedMs: number
  /** While paused: the connections that are cut off, also those that have ended without their peers knowing. */
  #held: Set<ClientConnection> | undefined
  #closing: Promise<void> | undefined
  #end: (error: Error | undefined) => void = () => undefined

  constructor(options: ServerOptions, recovered: Recovered | undefined) {
    this.#options = options
    this.#limits = { ...defaultLimits, ...options.limits }
    const { snapshot } = options
    this.#machine = recovered?.machine ?? (snapshot === undefined ? new StateMachine() : decodeSnapshot(snapshot))
    this.#journal = recovered === undefined ? undefined : this.#openJournal(recovered)
    this.#startedMs = options.clock.monotonicMs()
    this.#engine = new Engine({
      machine: this.#machine,
      log: this.#journal,
      clock: options.clock,
      random: options.random,
      stats: this.stats,
      limits: this.#limits,
      sessionTimeoutMs: options.sessionTimeoutMs ?? defaultSessionTimeoutMs,
    })
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.#listener = createServer((socket) => {
      this.accept(socket)
    })
  }

  get port(): number {
    const address = this.#listener.address()
    return address === null || typeof address === 'string' ? 0 : address.port
  }

  listen(): Promise<void> {
    if (this.#options.listen === undefined) return Promise.resolve()
    const { host, port } = this.#options.listen
    return new Promise((resolve, reject) => {
      this.#listener.once('error', (cause) => {
        reject(listenError(host, port, cause))
      })
      this.#listener.listen({ host, port }, resolve)
    })
  }

  snapshot(): Buffer {
    return encodeSnapshot(this.#machine)
  }

  sessions(): SessionView[] {
    return [...this.#machine.sessions.values()].map(({ id, timeoutMs }) => {
      const connection = this.#engine.connectionOf(id)
      const ephemerals = this.#machine.tree.ephemeralsOf(id)
      return { id, timeoutMs: connection?.timeoutMs ?? timeoutMs, connected: connection !== undefined, ephemerals }
    })
  }

  expireSession(id: bigint): boolean {
    if (!this.#machine.sessions.has(id)) return false
    this.#engine.expire(id)
    return true
  }

  dropConnections(sessionId?: bigint): number {
    const dropped = [...this.#connections].filter((one) => sessionId === undefined || one.sessionId === sessionId)
    for (const connection of dropped) connection.destroy('dropped')
    return dropped.length
  }

  pause(): void {
    this.#held ??= new Set(this.#connections)
    for (const connection of this.#held) connection.hold()
  }

  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const connection of held) connection.release()
  }

  close(): Promise<void> {
    this.#closing ??= this.#shutDown(undefined)
    return this.#closing
  }

  word(word: string): string | undefined {
    return answerTo(word, () => this.#report())
  }

  frame(connection: ClientConnection, bytes: Buffer): void {
    this.#engine.frame(connection, bytes)
  }

  mayRead(): boolean {
    return this.#engine.gate.heldBytes <= this.#limits.heldBytesMax
  }

  closed(connection: ClientConnection): void {
    this.#engine.closed(connection)
    this.#connections.delete(connection)
  }

  /** All at once and without a last word: what is not on disk must not be reported. */
  async #shutDown(error: Error | undefined): Promise<void> {
    this.#engine.close()
    const closed = new Promise<void>((resolve) => {
      this.#listener.close(() => {
        resolve()
      })
    })
    for (const connection of [...this.#connections, ...(this.#held ?? [])]) connection.destroy('shutdown')
    await closed
    try {
      await this.#journal?.close()
    } finally {
      this.#end(error)
    }
  }

  #openJournal(recovered: Recovered): Journal {
    return new Journal(recovered, this.#limits.logBytesMax, {
      onDurable: () => {
        const mayRead = this.mayRead()
        this.#engine.gate.open()
        if (!mayRead) for (const connection of this.#connections) connection.readOn()
      },
      onFailure: (error) => {
        this.#closing ??= this.#shutDown(error)
      },
    })
  }

  accept(socket: ServerSocket): void {
    if (this.#connections.size >= this.#limits.connectionsMax) {
      this.stats.countClosed('tooMany')
      socket.destroy()
      return
    }
    const connection = new ClientConnection(socket, this, {
      clock: this.#options.clock,
      limits: this.#limits,
      stats: this.stats,
    })
    this.#connections.add(connection)
    if (this.#held === undefined) return
    this.#held.add(connection)
    connection.hold()
  }

  #report(): Report {
    const { clock, data } = this.#options
    const timeouts = this.#options.sessionTimeoutMs ?? defaultSessionTimeoutMs
    return {
      machine: this.#machine,
      stats: this.stats,
      watches: this.#engine.watches,
      heldBytes: this.#engine.gate.heldBytes,
      uptimeMs: clock.monotonicMs() - this.#startedMs,
      peers: [...this.#connections],
      configuration: {
        clientPort: this.port,
        dataDir: data ?? '(memory)',
        maxClientCnxns: this.#limits.connectionsMax,
        minSessionTimeout: timeouts.min,
        maxSessionTimeout: timeouts.max,
        serverId: 0,
      },
    }
  }
}

function listenError(host: string, port: number, cause: Error): CatchmentError {
  const what =
    codeOf(cause) === 'EADDRINUSE' ? 'the port is in use: choose another, or 0 for any free one' : cause.message
  return new CatchmentError('zookeeper-listen', `cannot listen on ${host}:${port}: ${what}`, {
    blame: 'operator',
    cause,
  })
}
