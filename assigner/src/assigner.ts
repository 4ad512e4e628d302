// One assigner put together, from the bottom up: tree, control, operations, HTTP. All observe and answer; one leads. What
// flows back is an event of the lower part, to which `connectParts` subscribes.

import { untilAnswered, type openSession, type ZooKeeperSession } from '@catchment/coordination'
import { treePaths, type Policy, type TreeAnswer, type TreePaths } from '@catchment/protocol'
import {
  createHttpClient,
  createMetrics,
  parseListen,
  refuseInsecure,
  startHttpServer,
  Teardown,
  type Clock,
  type Log,
  type Random,
} from '@catchment/runtime'
import { CollectorProbe } from './control/collector-probe.ts'
import { ControlLoop } from './control/control-loop.ts'
import { LoadPoller } from './control/load-poller.ts'
import { addGauges } from './http/gauges.ts'
import { GroupResolver } from './http/group-resolver.ts'
import { LeaderLink } from './http/leader-link.ts'
import { LeaderRequests } from './http/leader-requests.ts'
import { operatorRoutes } from './http/operator-routes.ts'
import { assignerRoutes } from './http/routes.ts'
import { TreeReporter } from './http/tree-reporter.ts'
import { Configurations } from './operations/configurations.ts'
import { OperatorServices } from './operations/operator-services.ts'
import { connect } from './tree/connection.ts'
import { GroupLoads } from './tree/decide/group-loads.ts'
import { Leadership } from './tree/leadership.ts'
import { Observation } from './tree/observation.ts'
import { Publisher } from './tree/publisher.ts'
import { SessionWatch } from './tree/session-watch.ts'
import { TreeCache } from './tree/tree-cache.ts'

/** How often a collector is expected to rewrite its status; three times that without it, and it counts as gone. */
export const reportIntervalMsDefault = 2_000

export interface AssignerOptions {
  readonly id: string
  readonly zookeeper: string
  readonly root: string
  readonly listen: string
  readonly advertise: string | undefined
  readonly insecure: boolean
  readonly sessionTimeoutMs: number
  readonly redistribution: Policy['redistribution']
  readonly graceMs: number
  readonly balanceIntervalMs: number
  readonly reportIntervalMs: number
  readonly housekeepingIntervalMs: number
  readonly forgetAfterMs: number
  readonly openSession: typeof openSession
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface RunningAssigner {
  readonly url: string
  /** The term that it leads in, or undefined. */
  readonly term: number | undefined
  readonly session: ZooKeeperSession
  tree(): TreeAnswer
  close(): Promise<void>
}

/** Connects (waits for ZooKeeper until `signal` aborts), reads the tree, answers, and stands for election. */
export async function startAssigner(options: AssignerOptions, signal: AbortSignal): Promise<RunningAssigner> {
  refuseInsecure(parseListen(options.listen).host, options.insecure)
  const teardown = new Teardown()
  try {
    const session = await connect(options, signal)
    teardown.add('the ZooKeeper session', () => session.close())
    const parts = partsOf(options, session, teardown)
    connectParts(parts)
    const url = await start(options, parts, teardown)
    return {
      url,
      session,
      get term() {
        return parts.leadership.lead?.term
      },
      tree: () => parts.tree.answer(),
      close: async () => {
        parts.end.abort(new Error('the assigner ends'))
        await teardown.close()
      },
    }
  } catch (thrown) {
    await teardown.close()
    throw thrown
  }
}

type AssignerParts = ReturnType<typeof partsOf>

/** Every part, each made of those before it. */
function partsOf(options: AssignerOptions, session: ZooKeeperSession, teardown: Teardown) {
  const followed = treePartsOf(options, session)
  const { id, clock, log } = options
  const { cache, leadership, loads, observation, publisher } = followed
  const end = new AbortController()
  const ends = end.signal
  const http = createHttpClient({ connectionsPerOrigin: 4, connectTimeoutMs: 1_000 })
  teardown.add('the HTTP client', () => http.close())
  const loop = new ControlLoop({ ...options, cache, observation, leadership, publisher })
  const poller = new LoadPoller({ collectors: new CollectorProbe({ http, log, clock }), observation, loads, log })
  const operators = new OperatorServices({ ...options, ...followed, session, loop })
  const link = new LeaderLink(http, clock)
  const requests = new LeaderRequests({ id, leadership, observation, loop, poller, link, ends, log })
  const resolver = new GroupResolver({ ...options, ...followed, requests })
  const tree = new TreeReporter({ ...options, ...followed })
  return {
    ...followed,
    end,
    ends,
    loop,
    metrics: createMetrics(),
    operators,
    poller,
    requests,
    resolver,
    session,
    tree,
  }
}

/** What reads and writes the tree, with the configuration that a lead begins with. */
function treePartsOf(options: AssignerOptions, session: ZooKeeperSession) {
  const { id, log, redistribution } = options
  const paths = treePaths(options.root)
  const loads = new GroupLoads()
  const observation = new Observation({ ...options, loads })
  const sessionWatch = new SessionWatch(session, log)
  const cache = new TreeCache(session, paths, { log })
  const publisher = new Publisher({ session, paths, id, log })
  const configurations = new Configurations({ session, paths, id, log })
  const leadership = new Leadership({
    ...{ session, paths, log },
    prepare: async () => {
      await ensureTree(session, paths)
      await configurations.prepare({ redistribution })
      await publisher.readJournalNames()
      await cache.refresh({ sync: true })
    },
  })
  return { paths, loads, observation, sessionWatch, cache, publisher, configurations, leadership }
}

async function ensureTree(session: ZooKeeperSession, paths: TreePaths): Promise<void> {
  const { collectors, candidates, journal, config, outcomes } = paths
  for (const path of [collectors, candidates, journal, config, outcomes])
    await untilAnswered(session, (call) => session.ensurePath(path, call))
}

/** What each part does when another has something new. */
function connectParts(parts: AssignerParts): void {
  const { cache, configurations, leadership, loop, observation, operators, poller, sessionWatch } = parts
  sessionWatch.onConnected((nowMs) => {
    observation.resume(nowMs)
  })
  cache.onSnapshot((snapshot) => {
    const changed = observation.take(snapshot)
    loop.forgetKnown()
    if (changed) loop.wake()
  })
  configurations.onChange((policy) => {
    observation.configure(policy)
    loop.wake()
  })
  poller.onPolled(() => {
    loop.wake()
  })
  leadership.onLead((lead) => {
    poller.start(lead.signal)
    operators.lead(lead)
    observation.look(true) // agents that wait here for a leader ask again
    loop.wake()
  })
  leadership.onDeposed(() => {
    loop.deposed()
    poller.deposed()
  })
}

/** Returns where it answers. */
async function start(options: AssignerOptions, parts: AssignerParts, teardown: Teardown): Promise<string> {
  const { cache, configurations, ends, leadership, loop, metrics, operators, poller, session, sessionWatch } = parts
  const { commands, entryPoints } = operators
  await ensureTree(session, parts.paths)
  teardown.add('the tree', () => cache.close())
  teardown.add('the control loop', () => loop.close())
  configurations.start()
  teardown.add('the configuration', () => configurations.close())
  teardown.add('the polling of loads', () => poller.close())
  teardown.add('following the session', () => {
    sessionWatch.close()
  })
  await cache.refresh({ sync: true })
  addGauges(metrics, parts)
  const routes = [...assignerRoutes(parts), ...operatorRoutes({ commands, configurations, entryPoints, ends })]
  const server = await startHttpServer({ ...options, routes })
  teardown.add('the HTTP server', () => server.close(1_000))
  operators.start(server.url)
  teardown.add('what it does for operators', () => operators.close())
  teardown.add('the candidacy', () => leadership.close())
  leadership.stand({ id: options.id, url: server.url })
  return server.url
}
