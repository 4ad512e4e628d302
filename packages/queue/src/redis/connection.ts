// The connections to Redis; the one file that knows ioredis. A producer answers within its time limit whatever Redis does:
// no queue of commands while there is no connection, no second attempt. A worker's two connections (one for its blocking
// command) wait and come back by themselves. Each is taken down for good by `disconnect`, which nothing can undo.

import type { EventEmitter } from 'node:events'
import { Cluster, Redis, type ClientContext, type Result } from 'ioredis'
import type { Random } from '@catchment/runtime'
import { backoffMs } from '../decide/backoff.ts'
import type { QueueTimes } from '../limits.ts'
import type { HostPort, RedisAddress } from './address.ts'
import { limitScript } from './limit-script.ts'

export interface RedisTls {
  /** PEM. Without `ca` the machine's authorities count. */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** The name that the certificate has to carry, where it is not the host of the address. */
  readonly serverName?: string
}

export interface LinkOptions {
  readonly address: RedisAddress
  readonly role: 'producer' | 'worker' | 'blocking'
  readonly username?: string | undefined
  readonly password?: string | undefined
  readonly sentinelPassword?: string | undefined
  readonly tls?: RedisTls | undefined
  readonly times: QueueTimes
  readonly random: Random
  readonly onReady: () => void
  readonly onAway: () => void
  readonly onError: (message: string) => void
}

export type RedisClient = Redis | Cluster

export interface RedisLink {
  readonly client: RedisClient
  /** Whether a command sent now goes out now. */
  usable(): boolean
  /** `maxmemory-policy` and the version; undefined what Redis does not let us ask. */
  ask(): Promise<{ evictionPolicy: string | undefined; version: string | undefined }>
  /** As `limitScript` says: 0, or the milliseconds to wait. */
  takeTokens(key: string, words: readonly [perSecond: number, burst: number, tokens: number]): Promise<number>
  disconnect(): void
}

/** How long a worker's empty queue may keep a blocking command open; BullMQ asks again after it. */
export const blockSeconds = 5
/** A socket that is silent for longer than any answer may take is dead, though nothing has closed it. */
const socketSilentMs = blockSeconds * 1000 + 10_000
/** How long a Redis that hangs may keep a socket open that we have ended. */
const disconnectMs = 500
/** A job's lock has long been lost when Redis takes longer to load; until then the connection waits. */
const loadingRetryMs = 10_000

declare module 'ioredis' {
  interface RedisCommander<Context extends ClientContext> {
    takeTokens(key: string, perSecond: string, burst: string, tokens: string): Result<number, Context>
  }
}

export function openLink(options: LinkOptions): RedisLink {
  const client = options.address.kind === 'cluster' ? openCluster(options, options.address.nodes) : openServer(options)
  client.on('ready', options.onReady)
  client.on('close', options.onAway)
  client.on('error', (error: Error) => {
    options.onError(error.message)
  })
  client.defineCommand('takeTokens', { numberOfKeys: 1, lua: limitScript })
  return {
    client,
    usable: () => client.status === 'ready',
    ask: () => ask(client),
    takeTokens: async (key, [perSecond, burst, tokens]) =>
      client.takeTokens(key, String(perSecond), String(burst), String(tokens)),
    disconnect: () => {
      retire(client)
    },
  }
}

async function ask(client: RedisClient): Promise<{ evictionPolicy: string | undefined; version: string | undefined }> {
  const [configured, memory, server] = await Promise.all(
    [client.config('GET', 'maxmemory-policy'), client.info('memory'), client.info('server')].map((answer) =>
      answer.then(String, () => ''),
    ),
  )
  // managed services forbid CONFIG; INFO says it too
  const policy = configured?.split(',')[1] ?? /^maxmemory_policy:(\S+)/m.exec(memory ?? '')?.[1]
  return { evictionPolicy: policy, version: /^redis_version:(\S+)/m.exec(server ?? '')?.[1] }
}

/** BullMQ connects again what was closed under it, so `connect` is taken away first. */
function retire(client: RedisClient): void {
  client.connect = () => Promise.reject(new Error('Connection is closed.'))
  for (const { stream } of client instanceof Redis ? [client] : client.nodes()) ignoreErrors(stream)
  if (client.status !== 'end') client.disconnect() // a second time it would keep the process for disconnectTimeout
}

/** A socket that is ended within its TLS handshake reports an error when ioredis listens no more: that ends the process. */
function ignoreErrors(stream: EventEmitter | undefined): void {
  stream?.on('error', () => undefined)
}

function openServer(options: LinkOptions): Redis {
  const { address, times, random, role } = options
  const server = perServer(options)
  const again = (attempt: number): number => backoffMs(times.reconnect, attempt, random.float())
  const shared = {
    ...server,
    retryStrategy: again,
    enableOfflineQueue: role !== 'producer',
    ...(role === 'worker' && { commandTimeout: 2 * times.commandMs }),
  }
  if (address.kind !== 'sentinel') return new Redis({ ...shared, ...(address.kind === 'single' && oneServer(address)) })
  return new Redis({
    ...shared,
    sentinels: address.sentinels.map((sentinel) => ({ ...sentinel })),
    name: address.master,
    sentinelRetryStrategy: again,
    sentinelCommandTimeout: times.commandMs,
    ...(options.sentinelPassword !== undefined && { sentinelPassword: options.sentinelPassword }),
    // sentinels are asked over TLS when the servers are
    ...(server.tls !== undefined && { sentinelTLS: server.tls, enableTLSForSentinelMode: true }),
  })
}

function oneServer({ server, db }: { readonly server: HostPort; readonly db: number }): HostPort & { db: number } {
  return { ...server, db }
}

function openCluster(options: LinkOptions, nodes: readonly HostPort[]): Cluster {
  const { times, random, role } = options
  return new Cluster(
    nodes.map((node) => ({ ...node })),
    {
      redisOptions: perServer(options),
      enableOfflineQueue: role !== 'producer',
      clusterRetryStrategy: (attempt) => backoffMs(times.reconnect, attempt, random.float()),
      slotsRefreshTimeout: times.connectMs,
    },
  )
}

interface PerServer {
  readonly connectTimeout: number
  readonly disconnectTimeout: number
  readonly socketTimeout: number
  readonly maxLoadingRetryTime: number
  readonly maxRetriesPerRequest: number | null
  readonly reconnectOnError: (error: Error) => false | 1 | 2
  readonly commandTimeout?: number
  readonly username?: string
  readonly password?: string
  readonly tls?: { ca?: string; cert?: string; key?: string; servername?: string }
}

/** What holds for every server, be it one of a cluster's. */
function perServer({ role, username, password, tls, address, times }: LinkOptions): PerServer {
  return {
    connectTimeout: times.connectMs,
    disconnectTimeout: disconnectMs,
    socketTimeout: socketSilentMs,
    maxLoadingRetryTime: loadingRetryMs,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...((address.tls || tls !== undefined) && { tls: tlsOptions(tls) }),
    ...(role === 'producer'
      ? {
          maxRetriesPerRequest: 1,
          commandTimeout: times.commandMs,
          reconnectOnError: (error: Error) => stale(error, 1),
        }
      : { maxRetriesPerRequest: null, reconnectOnError: (error: Error) => stale(error, 2) }),
  }
}

/** After a failover the old master answers READONLY: connect again; 2 sends the command once more, which did nothing. */
function stale<Again extends 1 | 2>(error: Error, again: Again): Again | false {
  return error.message.startsWith('READONLY') ? again : false
}

function tlsOptions({ ca, cert, key, serverName }: RedisTls = {}): NonNullable<PerServer['tls']> {
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  }
}
