import { once } from 'node:events'
import { request as rawRequest, type IncomingMessage } from 'node:http'
import { hostname } from 'node:os'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from '@jest/globals'
import { collectingLog } from '@catchment/testing'
import {
  CatchmentError,
  createHttpClient,
  parseListen,
  refuseInsecure,
  startHttpServer,
  Teardown,
  type HttpClient,
  type HttpServer,
  type HttpServerOptions,
  type Route,
} from '../src/index.ts'

interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

let teardown = new Teardown()
afterEach(async () => {
  await teardown.close()
  teardown = new Teardown()
})

async function serve(options: Partial<HttpServerOptions>): Promise<HttpServer> {
  const server = await startHttpServer({
    listen: '127.0.0.1:0',
    routes: [],
    log: collectingLog(),
    insecure: false,
    ...options,
  })
  teardown.add('server', () => server.close())
  return server
}

function client(): HttpClient {
  const made = createHttpClient({ connectionsPerOrigin: 4, connectTimeoutMs: 2000 })
  teardown.add('client', () => made.close())
  return made
}

/** A TCP server that treats each connection as `handle` says. */
async function tcp(handle: (socket: Socket) => void): Promise<string> {
  const server: Server = createTcpServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  teardown.add('tcp', () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const get = (url: string): Promise<{ status: number; body: unknown }> => ask('GET', url)
async function ask(method: 'GET' | 'POST', url: string, body?: string): Promise<{ status: number; body: unknown }> {
  const headers = body === undefined ? {} : { 'content-type': 'application/json' }
  const answer = await client().request({ method, url, timeoutMs: 5000, headers, ...(body !== undefined && { body }) })
  return { status: answer.status, body: JSON.parse(answer.body.toString()) as unknown }
}

const route = (path: string, handle: Route['handle'], method: Route['method'] = 'GET'): Route => ({
  method,
  path,
  handle,
})
const failing =
  (error: Error): Route['handle'] =>
  () =>
    Promise.reject(error)
const errorOf = (code: string): unknown => ({ error: expect.objectContaining({ code }) })

describe('startHttpServer', () => {
  test('a control route gets parameters, query and body; a raw route stands beside it on the same port', async () => {
    const server = await serve({
      routes: [
        route(
          '/v1/groups/:group/x',
          ({ params, query, body }) => ({ status: 201, json: { params, query, body } }),
          'POST',
        ),
      ],
      rawRoutes: [{ method: 'PUT', path: '/v1/frames', handle: (request, response) => request.pipe(response) }],
    })
    const url = `${server.url}/v1/groups/web%2F0/x?deep=1`
    const answer = { params: { group: 'web/0' }, query: { deep: '1' }, body: { a: 1 } }
    expect(await ask('POST', url, '{"a":1}')).toEqual({ status: 201, body: answer })
    const bytes = Buffer.alloc(5 * 1024 * 1024, 'x')
    const echoed = await client().request({
      method: 'PUT',
      url: `${server.url}/v1/frames?q=1`,
      body: bytes,
      timeoutMs: 5000,
    })
    expect(echoed.body.equals(bytes)).toBe(true)
  })

  test('errors by blame: 400 of the peer and the operator, 503 where again may help, 500 and a log line for ours', async () => {
    const log = collectingLog()
    const server = await serve({
      log,
      routes: [
        route('/peer', failing(new CatchmentError('odd', 'odd', { blame: 'peer' }))),
        route('/again', failing(new CatchmentError('stale', 'stale', { blame: 'machine', retryable: true }))),
        route('/ours', failing(new TypeError('a defect'))),
        route('/body', () => ({ json: {} }), 'POST'),
        route('/g/:group', () => ({ json: {} })),
      ],
    })
    expect(await get(`${server.url}/peer`)).toEqual({ status: 400, body: errorOf('odd') })
    expect(await get(`${server.url}/again`)).toEqual({ status: 503, body: errorOf('stale') })
    expect(log.entries).toEqual([])
    expect(await get(`${server.url}/ours`)).toEqual({ status: 500, body: errorOf('internal') })
    expect(log.entries).toMatchObject([{ level: 'error', fields: { url: '/ours' } }])
    expect(await get(`${server.url}/nowhere`)).toEqual({ status: 404, body: errorOf('not-found') })
    for (const body of [
      '{"a":',
      '',
      '{"__proto__":{"x":1}}',
      '{"constructor":{"prototype":{}}}',
      `"${'x'.repeat(5 * 1024 * 1024)}"`,
    ])
      expect([body.slice(0, 30), await ask('POST', `${server.url}/body`, body)]).toEqual([
        body.slice(0, 30),
        { status: 400, body: { error: expect.anything() } },
      ])
    expect(await get(`${server.url}/g/%zz`)).toEqual({ status: 400, body: { error: expect.anything() } })
    expect(log.entries).toHaveLength(1)
  })

  test('a port in use is the operator’s: named, and nothing stays behind', async () => {
    const first = await serve({})
    await expect(serve({ listen: `127.0.0.1:${first.port}` })).rejects.toMatchObject({
      code: 'port-in-use',
      blame: 'operator',
      message: expect.stringContaining(`cannot listen on 127.0.0.1:${first.port}: the port is in use`),
    })
    await expect(serve({ listen: '192.0.2.1:0', insecure: true })).rejects.toMatchObject({
      code: 'bad-address',
      blame: 'operator',
    })
  })

  test('beyond loopback only with insecure, and then its URL is one that others can use', async () => {
    await expect(serve({ listen: '0.0.0.0:0' })).rejects.toMatchObject({ code: 'insecure', blame: 'operator' })
    const server = await serve({ listen: '0.0.0.0:0', insecure: true })
    expect(server.url).toBe(`http://${hostname()}:${server.port}`)
    const behindNat = await serve({ advertise: 'http://c1.example.com:7100' })
    expect(behindNat.url).toBe('http://c1.example.com:7100')
  })

  test('server-sent events arrive as they come; the source ends when the client goes', async () => {
    const ended = deferred<string>()
    async function* ticks(signal: AbortSignal): AsyncGenerator<{ event: string; data: unknown }> {
      try {
        yield { event: 'tick', data: { n: 1 } }
        await once(signal, 'abort')
      } finally {
        ended.resolve('ended')
      }
    }
    const server = await serve({ routes: [route('/v1/events', ({ signal }) => ({ events: ticks(signal) }))] })
    const request = rawRequest(`${server.url}/v1/events`).end()
    const [answer] = (await once(request, 'response')) as [IncomingMessage]
    expect(answer.headers['content-type']).toMatch(/^text\/event-stream/)
    let text = ''
    for await (const chunk of answer) {
      text += String(chunk)
      if (text.includes('tick')) break // leaving the loop closes the connection
    }
    expect(text).toBe(': open\n\nevent: tick\ndata: {"n":1}\n\n')
    expect(await ended.promise).toBe('ended')
  })

  test('close with grace ends event streams, completes what is under way, refuses what is new, and is soon done', async () => {
    const arrived = deferred<undefined>()
    const finish = deferred<undefined>()
    async function* silence(signal: AbortSignal): AsyncGenerator<{ event: string; data: unknown }> {
      await once(signal, 'abort')
      yield { event: 'never', data: 0 }
    }
    const server = await serve({
      routes: [
        route('/events', ({ signal }) => ({ events: silence(signal) })),
        route('/slow', async () => {
          arrived.resolve(undefined)
          await finish.promise
          return { json: 'done' }
        }),
      ],
    })
    const events = rawRequest(`${server.url}/events`)
      .on('error', () => undefined)
      .end()
    await once(events, 'response')
    const slow = get(`${server.url}/slow`)
    await arrived.promise
    const startedAt = performance.now()
    const closed = server.close(20_000)
    await expect(get(`${server.url}/slow`)).rejects.toMatchObject({ code: 'unreachable' })
    finish.resolve(undefined)
    expect(await slow).toEqual({ status: 200, body: 'done' })
    await closed
    expect(performance.now() - startedAt).toBeLessThan(10_000)
  })

  test('close cuts what is not done within the grace', async () => {
    const arrived = deferred<undefined>()
    const server = await serve({
      routes: [
        route('/never', () => {
          arrived.resolve(undefined)
          return new Promise(() => undefined)
        }),
      ],
    })
    const closed = arrived.promise.then(() => server.close(50))
    await expect(get(`${server.url}/never`)).rejects.toMatchObject({ code: 'no-answer' })
    await closed
  })
})

describe('createHttpClient', () => {
  test('refused: unreachable, nothing was sent', async () => {
    const server = await serve({})
    await server.close()
    for (const host of ['127.0.0.1', 'localhost'])
      await expect(get(`http://${host}:${server.port}/`)).rejects.toMatchObject({
        code: 'unreachable',
        blame: 'peer',
        retryable: true,
      })
    await expect(get('http://no-such-host.invalid/')).rejects.toMatchObject({ code: 'unreachable' })
    await expect(get('no url')).rejects.toMatchObject({ code: 'unreachable' })
  })

  test('cut before or within the answer: no-answer, it may have been done', async () => {
    const before = await tcp((socket) => socket.once('data', () => socket.destroy()))
    await expect(get(before)).rejects.toMatchObject({ code: 'no-answer', retryable: true })
    const within = await tcp((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc')),
    )
    await expect(get(within)).rejects.toMatchObject({ code: 'no-answer' })
    const garbage = await tcp((socket) => socket.once('data', () => socket.end('SSH-2.0\r\n\r\n')))
    await expect(get(garbage)).rejects.toMatchObject({ code: 'no-answer' })
  })

  test('silence and an answer that trickles: timeout, at its time', async () => {
    for (const text of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc']) {
      const url = await tcp((socket) => void socket.once('data', () => socket.write(text)))
      const startedAt = performance.now()
      const slow = client().request({ method: 'GET', url, timeoutMs: 150 })
      await expect(slow).rejects.toMatchObject({
        code: 'timeout',
        retryable: true,
        message: expect.stringContaining('no answer within 150 ms'),
      })
      expect(performance.now() - startedAt).toBeGreaterThan(140)
    }
  })

  test('the caller’s abort comes through as its reason', async () => {
    const url = await tcp(() => undefined)
    const stop = new AbortController()
    const asked = client().request({ method: 'GET', url, timeoutMs: 10_000, signal: stop.signal })
    stop.abort(new CatchmentError('stopped', 'stopping', { blame: 'operator' }))
    await expect(asked).rejects.toMatchObject({ code: 'stopped' })
  })

  test('an answer before the body was read is an answer: admission refuses large uploads by their headers', async () => {
    const server = await serve({
      rawRoutes: [
        {
          method: 'PUT',
          path: '/full',
          handle: (_request, response) => response.writeHead(429, { 'retry-after': '1' }).end('full'),
        },
      ],
    })
    const one = client()
    for (let round = 0; round < 3; round += 1) {
      const answer = await one.request({
        method: 'PUT',
        url: `${server.url}/full`,
        body: Buffer.alloc(16 * 1024 * 1024),
        timeoutMs: 10_000,
      })
      expect([answer.status, answer.headers['retry-after'], answer.body.toString()]).toEqual([429, '1', 'full'])
    }
  })
})

describe('parseListen', () => {
  test('takes HOST:PORT, [IPv6]:PORT and :PORT; refuses the rest', () => {
    expect(parseListen('127.0.0.1:7070')).toEqual({ host: '127.0.0.1', port: 7070 })
    expect(parseListen('[::1]:80')).toEqual({ host: '::1', port: 80 })
    expect(parseListen(':0')).toEqual({ host: '127.0.0.1', port: 0 })
    for (const text of ['', '7070', 'host', 'host:', 'host:65536', 'host:-1', '::1:80', 'http://x:1', 'a:b'])
      expect(() => parseListen(text)).toThrow(expect.objectContaining({ code: 'bad-address' }))
  })
})

describe('refuseInsecure', () => {
  const refusing = (host: string, insecure: boolean) => () => {
    refuseInsecure(host, insecure)
  }
  test('loopback alone is free', () => {
    for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) expect(refusing(host, false)).not.toThrow()
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com', '::ffff:10.0.0.1']) {
      expect(refusing(host, false)).toThrow(expect.objectContaining({ code: 'insecure' }))
      expect(refusing(host, true)).not.toThrow()
    }
  })
})
