// A small cluster for tests: the embedded ZooKeeper, real assigners, and collectors that are a status node and an HTTP server.

import {
  joinMembership,
  openSession,
  ZooKeeperError,
  type Membership,
  type SessionOptions,
  type ZooKeeperSession,
} from '@catchment/coordination'
import { startServer, type ZookeeperServer } from '@catchment/embedded-zookeeper'
import {
  collectorListSchema,
  decodeZnode,
  emptyCollectorList,
  encodeZnode,
  errorAnswerSchema,
  parseJson,
  resolveAnswerSchema,
  treeAnswerSchema,
  treePaths,
  type CollectorList,
  type LoadAnswer,
  type ResolveAnswer,
  type ResolveRequest,
  type TreeAnswer,
} from '@catchment/protocol'
import {
  createHttpClient,
  realClock,
  realRandom,
  startHttpServer,
  Teardown,
  type HttpClient,
  type HttpServer,
} from '@catchment/runtime'
import { collectingLog, eventually, type CollectingLog } from '@catchment/testing'
import { startAssigner, type AssignerOptions, type RunningAssigner } from '../src/assigner.ts'
import { statusOf } from './simulated-tree.ts'

export const paths = treePaths('/logs')
/** Longer than a busy machine stops a test for: where a session has to end, the story ends it. */
const sessionTimeoutMs = 6_000

export class TestCluster {
  readonly zookeeper: ZookeeperServer
  readonly session: ZooKeeperSession
  readonly http: HttpClient
  readonly log: CollectingLog = collectingLog()
  readonly teardown: Teardown

  private constructor(zookeeper: ZookeeperServer, session: ZooKeeperSession, teardown: Teardown) {
    this.zookeeper = zookeeper
    this.session = session
    this.teardown = teardown
    this.http = createHttpClient({ connectionsPerOrigin: 64, connectTimeoutMs: 1_000 })
    teardown.add('the HTTP client', () => this.http.close())
  }

  static async start(): Promise<TestCluster> {
    const teardown = new Teardown()
    const zookeeper = await startServer({
      listen: { host: '127.0.0.1', port: 0 },
      clock: realClock,
      random: realRandom,
    })
    teardown.add('ZooKeeper', () => zookeeper.close())
    const session = await openSessionTo(zookeeper)
    teardown.add('a session', () => session.close())
    return new TestCluster(zookeeper, session, teardown)
  }

  close(): Promise<void> {
    return this.teardown.close()
  }

  async assigner(id: string, options: Partial<AssignerOptions> = {}): Promise<RunningAssigner> {
    const assigner = await startAssigner(
      {
        id,
        zookeeper: `127.0.0.1:${this.zookeeper.port}`,
        root: paths.root,
        listen: '127.0.0.1:0',
        advertise: undefined,
        insecure: false,
        sessionTimeoutMs,
        redistribution: 'local',
        graceMs: 60_000,
        balanceIntervalMs: 60_000,
        reportIntervalMs: 60_000,
        housekeepingIntervalMs: 600_000,
        forgetAfterMs: 7 * 86_400_000,
        openSession,
        clock: realClock,
        random: realRandom,
        log: this.log.with({ assigner: id }),
        ...options,
      },
      new AbortController().signal,
    )
    this.teardown.add(`assigner ${id}`, () => assigner.close())
    return assigner
  }

  async collector(id: string): Promise<StubCollector> {
    const collector = await StubCollector.start(id, this.zookeeper)
    this.teardown.add(`collector ${id}`, () => collector.stop())
    return collector
  }

  async resolve(assigner: RunningAssigner, request: Partial<ResolveRequest>): Promise<ResolveAnswer> {
    const answer = await this.post(assigner, '/v1/resolve', request)
    if (answer.status !== 200) {
      const { error } = parseJson(errorAnswerSchema, answer.body, 'a refusal')
      throw Object.assign(new Error(error.message), { code: error.code, status: answer.status })
    }
    return parseJson(resolveAnswerSchema, answer.body, 'an answer')
  }

  async post(assigner: RunningAssigner, path: string, body: unknown): Promise<{ status: number; body: string }> {
    const headers = { 'content-type': 'application/json' }
    const url = `${assigner.url}${path}`
    const answer = await this.http.request({
      method: 'POST',
      url,
      headers,
      body: JSON.stringify(body),
      timeoutMs: 20_000,
    })
    return { status: answer.status, body: answer.body.toString() }
  }

  async get(assigner: RunningAssigner, path: string): Promise<{ status: number; body: string }> {
    const answer = await this.http.request({ method: 'GET', url: `${assigner.url}${path}`, timeoutMs: 5_000 })
    return { status: answer.status, body: answer.body.toString() }
  }

  /** The first `tree` event that `matches`. */
  async firstEvent(assigner: RunningAssigner, matches: (tree: TreeAnswer) => boolean): Promise<TreeAnswer> {
    const answer = await fetch(`${assigner.url}/v1/events`)
    let text = ''
    for await (const chunk of answer.body ?? []) {
      text += Buffer.from(chunk).toString()
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const data = /^event: tree\ndata: (.*)$/.exec(event)?.[1]
        if (data === undefined) continue
        const tree = parseJson(treeAnswerSchema, data, 'an event')
        if (matches(tree)) return tree
      }
    }
    throw new Error('the events ended')
  }

  /** Resolves when the assigner counts `living` collectors as living. */
  async sees(assigner: RunningAssigner, living: number): Promise<void> {
    await eventually(
      `${living} collectors live`,
      () => assigner.tree().collectors.filter(({ state }) => state === 'serving').length === living,
    )
  }

  async list(id: string): Promise<CollectorList> {
    const path = paths.collector(id)
    return decodeZnode(collectorListSchema, (await this.session.get(path)).data, path)
  }
}

/** Registers as a collector does, and answers what the assigner asks. */
export class StubCollector {
  readonly id: string
  readonly session: ZooKeeperSession
  groups: LoadAnswer['groups'] = []
  /** How often it was asked whether it is there. */
  readonly probed: () => number
  readonly #server: HttpServer
  readonly #membership: Membership
  #stopped = false

  private constructor(
    id: string,
    parts: { session: ZooKeeperSession; server: HttpServer; membership: Membership; probed: () => number },
  ) {
    this.id = id
    this.session = parts.session
    this.probed = parts.probed
    this.#server = parts.server
    this.#membership = parts.membership
  }

  static async start(id: string, zookeeper: ZookeeperServer): Promise<StubCollector> {
    const session = await openSessionTo(zookeeper)
    const reported: { groups: LoadAnswer['groups'] } = { groups: [] }
    const total = { bytesPerSecond: 0, recordsPerSecond: 0 }
    let probes = 0
    const server = await startHttpServer({
      listen: '127.0.0.1:0',
      insecure: false,
      log: collectingLog(),
      routes: [
        {
          method: 'GET',
          path: '/healthz',
          handle: () => {
            probes += 1
            return { json: {} }
          },
        },
        {
          method: 'GET',
          path: '/v1/load',
          handle: () => ({ json: { collector: id, appliedEpoch: 0, total, groups: reported.groups } }),
        },
      ],
    })
    await session.ensurePath(paths.collectors)
    const path = paths.collector(id)
    if ((await session.exists(path)) === undefined) await session.create(path, encodeZnode(emptyCollectorList))
    const incarnation = Buffer.from(realRandom.bytes(8)).toString('hex')
    const membership = await joinMembership(session, {
      path,
      name: 'status',
      data: encodeZnode(statusOf(id, { url: server.url, incarnation })),
      replaces: () => true,
    })
    const collector = new StubCollector(id, { session, server, membership, probed: () => probes })
    Object.defineProperty(collector, 'groups', {
      set: (groups: LoadAnswer['groups']) => {
        reported.groups = groups
      },
    })
    return collector
  }

  /** Its port refuses from now on; its session and its status stay. */
  async closePort(): Promise<void> {
    await this.#server.close()
  }

  /** A clean end: the status vanishes at once. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.#membership.leave()
    await this.session.close()
    await this.#server.close()
  }
}

async function openSessionTo(zookeeper: ZookeeperServer): Promise<ZooKeeperSession> {
  const servers = `127.0.0.1:${zookeeper.port}`
  return await openSession({ servers, sessionTimeoutMs, clock: realClock, random: realRandom })
}

/** A session of which `instead` may answer a call in its place: undefined leaves it as it is. */
function intercepted(
  session: ZooKeeperSession,
  instead: (name: string, target: ZooKeeperSession) => ((...call: never[]) => unknown) | undefined,
): ZooKeeperSession {
  return new Proxy(session, {
    get: (target, name) => {
      const other = instead(String(name), target)
      if (other !== undefined) return other
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Sessions whose next transaction is carried out and never answered, on request; and whose transactions are counted. */
export function losingAnswers(): {
  openSession: (options: SessionOptions) => Promise<ZooKeeperSession>
  loseNext: () => void
  readonly lost: number
  readonly sent: number
} {
  let losing = false
  let lost = 0
  let sent = 0
  const multi = async (target: ZooKeeperSession, call: Parameters<ZooKeeperSession['multi']>): Promise<unknown> => {
    sent += 1
    const results = await target.multi(...call)
    if (!losing) return results
    losing = false
    lost += 1
    throw new ZooKeeperError('connection-lost', 'the answer is lost', { outcome: 'unknown' })
  }
  return {
    openSession: async (options) =>
      intercepted(await openSession(options), (name, target) =>
        name === 'multi' ? (...call: Parameters<ZooKeeperSession['multi']>) => multi(target, call) : undefined,
      ),
    loseNext: () => {
      losing = true
    },
    get lost() {
      return lost
    },
    get sent() {
      return sent
    },
  }
}

/** Sessions whose next sync times out, on request. */
export function failingSyncs(): { openSession: typeof openSession; failNext: () => void; readonly failed: number } {
  let failing = false
  let failed = 0
  return {
    openSession: async (options) =>
      intercepted(await openSession(options), (name) => {
        if (name !== 'sync' || !failing) return undefined
        failing = false
        failed += 1
        return () => Promise.reject(new ZooKeeperError('timeout', 'sync: no answer'))
      }),
    failNext: () => {
      failing = true
    },
    get failed() {
      return failed
    },
  }
}
