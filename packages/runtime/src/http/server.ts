// HTTP: a framework for control routes and, on the same port, raw routes for bulk data, where a framework would cost half of
// the throughput.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { Readable } from 'node:stream'
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { asError, CatchmentError, codeOf } from '../errors.ts'
import type { Log } from '../telemetry/log.ts'
import { parseListen, refuseInsecure } from './listen-address.ts'

export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** The JSON of the body, unchecked; undefined where there is none. */
  readonly body: unknown
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** `json` or `text`, or `events`: a stream of server-sent events that ends when the client goes away. */
export type RouteAnswer = { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } & (
  | { readonly json: unknown }
  | { readonly text: string }
  | { readonly events: AsyncIterable<{ readonly event: string; readonly data: unknown }> }
)

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `/v1/groups/:group/explain`. */
  readonly path: string
  /** A CatchmentError with blame `peer` or `operator` is answered 400, a retryable one 503, any other error 500. */
  readonly handle: (request: RouteRequest) => Promise<RouteAnswer> | RouteAnswer
}

/** A route that reads and answers by itself; it must end the response. */
export interface RawRoute {
  readonly method: string
  readonly path: string
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void
}

export interface HttpServerOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  readonly routes: readonly Route[]
  readonly rawRoutes?: readonly RawRoute[]
  readonly log: Log
  /** Allow listening beyond loopback without TLS or a token. */
  readonly insecure: boolean
  /** The URL for others, where it is not that of `listen` (NAT). By default that URL, with this host's name for 0.0.0.0. */
  readonly advertise?: string | undefined
}

export interface HttpServer {
  /** `http://HOST:PORT` as others reach it. */
  readonly url: string
  readonly port: number
  /** Ends event streams, lets requests finish for up to `graceMs`, then closes all connections. */
  close(graceMs?: number): Promise<void>
}

/** The largest body of a control request. */
const controlBodyBytesMax = 4 * 1024 * 1024

const idleCheckMs = 20

/** Throws CatchmentError `port-in-use`, `insecure` or `bad-address` (all the operator's). */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { host, port } = parseListen(options.listen)
  refuseInsecure(host, options.insecure)
  const raw = new Map((options.rawRoutes ?? []).map((route) => [`${route.method} ${route.path}`, route.handle]))
  const server = createServer({ keepAliveTimeout: 72_000, headersTimeout: 10_000, requestTimeout: 60_000 })
  const app = fastify({
    bodyLimit: controlBodyBytesMax,
    routerOptions: { maxParamLength: 1024 },
    forceCloseConnections: true,
    frameworkErrors: (error, request, reply) => {
      answerError(error, request, reply, options.log)
    },
    serverFactory: (handle) => {
      server.on('request', (request, response) => {
        const own = raw.get(`${request.method ?? ''} ${(request.url ?? '').split('?')[0] ?? ''}`)
        if (own === undefined) handle(request, response)
        else own(request, response)
      })
      return server
    },
  })
  const streaming = new Set<ServerResponse>()
  for (const route of options.routes) addRoute(app, route, { log: options.log, streaming })
  app.setNotFoundHandler((request, reply) => {
    void reply.code(404).send(errorBody('not-found', `there is no ${request.method} ${request.url} here`))
  })
  app.setErrorHandler((error, request, reply) => {
    answerError(asError(error), request, reply, options.log)
  })
  await listen(app, host, port)
  const address = server.address()
  const boundPort = isAddress(address) ? address.port : port
  const reachable = host === '0.0.0.0' || host === '::' ? hostname() : host
  const shownHost = reachable.includes(':') ? `[${reachable}]` : reachable
  return {
    url: options.advertise ?? `http://${shownHost}:${boundPort}`,
    port: boundPort,
    close: async (graceMs = 0) => {
      for (const response of streaming) response.destroy()
      await closeServer(app, server, graceMs)
    },
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await app.listen({ host, port })
  } catch (thrown) {
    await app.close()
    const code = codeOf(thrown)
    const rule =
      code === 'EADDRINUSE'
        ? 'the port is in use by another process: name another one, or port 0 for a free one'
        : `${code ?? asError(thrown).message}: name an address of this machine`
    throw new CatchmentError(
      code === 'EADDRINUSE' ? 'port-in-use' : 'bad-address',
      `cannot listen on ${host}:${port}: ${rule}`,
      {
        blame: 'operator',
        cause: thrown,
      },
    )
  }
}

async function closeServer(app: FastifyInstance, server: Server, graceMs: number): Promise<void> {
  if (graceMs > 0) {
    const ended = new Promise<void>((resolve) =>
      server.close(() => {
        resolve()
      }),
    )
    // a kept-alive connection would stay open for the whole grace after its last answer
    const idle = setInterval(() => {
      server.closeIdleConnections()
    }, idleCheckMs)
    const cut = setTimeout(() => {
      server.closeAllConnections()
    }, graceMs)
    await ended
    clearTimeout(cut)
    clearInterval(idle)
  }
  await app.close()
}

function addRoute(app: FastifyInstance, route: Route, open: { log: Log; streaming: Set<ServerResponse> }): void {
  app.route({
    method: route.method,
    url: route.path,
    handler: async (request: FastifyRequest, reply: FastifyReply) => {
      const gone = new AbortController()
      reply.raw.on('close', () => {
        gone.abort(new Error('the client went away'))
      })
      const answer = await route.handle({
        params: strings(request.params),
        query: strings(request.query),
        body: request.body,
        signal: gone.signal,
      })
      reply.code(answer.status ?? 200).headers(answer.headers ?? {})
      // by hand: the framework sends a text as it is, and null as nothing
      if ('json' in answer) return reply.type('application/json; charset=utf-8').send(JSON.stringify(answer.json))
      if ('text' in answer)
        return reply.type(answer.headers?.['content-type'] ?? 'text/plain; charset=utf-8').send(answer.text)
      open.streaming.add(reply.raw)
      reply.raw.on('close', () => open.streaming.delete(reply.raw))
      return reply
        .type('text/event-stream')
        .header('cache-control', 'no-store')
        .send(eventStream(answer.events, open.log))
    },
  })
}

function eventStream(events: AsyncIterable<{ event: string; data: unknown }>, log: Log): Readable {
  async function* lines(): AsyncGenerator<string> {
    yield ': open\n\n'
    for await (const { event, data } of events) yield `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
  }
  const stream = Readable.from(lines())
  stream.on('error', (error) => {
    log.debug('an event stream ended', { reason: error.message })
  })
  return stream
}

function answerError(error: Error, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const ours = error instanceof CatchmentError ? error : undefined
  const theirs = codeOf(error)?.startsWith('FST_ERR') === true
  const status =
    ours?.retryable === true
      ? 503
      : (ours !== undefined && ours.blame !== 'bug') || theirs || error.name === 'ProtocolError'
        ? 400
        : 500
  if (status === 500) log.error('a request failed', { method: request.method, url: request.url, reason: error.stack })
  void reply.code(status).send(errorBody(codeOf(error) ?? 'internal', error.message))
}

/** The body of every answer that is not 2xx. */
export function errorBody(
  code: string,
  message: string,
  retryAfterMs?: number,
): { error: { code: string; message: string; retryAfterMs?: number } } {
  return { error: { code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) } }
}

function strings(value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return typeof address === 'object' && address !== null
}
