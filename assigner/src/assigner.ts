// One assigner put together: session, tree, election, control loop, HTTP. Everyone observes and answers; one leads.

import { type openSession, type ZooKeeperSession } from '@catchment/coordination'
import {
  treePaths,
  type Leader,
  type Policy,
  type ResolveRequest,
  type TreeAnswer,
  type TreePaths,
} from '@catchment/protocol'
import {
  asError,
  CatchmentError,
  createHttpClient,
  createMetrics,
  parseListen,
  refuseInsecure,
  startHttpServer,
  Teardown,
  type Clock,
  type HttpServer,
  type Log,
  type Random,
} from '@catchment/runtime'
import { Collectors } from './collectors.ts'
import { Configurations } from './configurations.ts'
import { connect } from './connecting.ts'
import { ControlLoop, groupsMax, wantedGroupsMax } from './control-loop.ts'
import { explain } from './decide/explanation.ts'
import { Membership } from './decide/membership.ts'
import { treeAnswer, treeProblems } from './decide/tree-answer.ts'
import { addGauges } from './gauges.ts'
import { LeaderLink, noLeader } from './leader-link.ts'
import { Leadership, type Lead } from './leadership.ts'
import { Measuring } from './measuring.ts'
import { Observation } from './observation.ts'
import { Operations } from './operations.ts'
import { Publisher } from './publisher.ts'
import { Resolving, type Pursuit } from './resolving.ts'
import { assignerRoutes } from './routes.ts'
import { TreeCache } from './tree-cache.ts'

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

export interface Assigner {
  readonly url: string
  /** The term that it leads in, or undefined. */
  readonly term: number | undefined
  readonly session: ZooKeeperSession
  tree(): TreeAnswer
  close(): Promise<void>
}

/** Connects (waits for ZooKeeper until `signal` aborts), reads the tree, answers, and stands for election. */
export async function startAssigner(options: AssignerOptions, signal: AbortSignal): Promise<Assigner> {
  refuseInsecure(parseListen(options.listen).host, options.insecure)
  const teardown = new Teardown()
  try {
    const session = await connect(options, signal)
    teardown.add('the ZooKeeper session', () => session.close())
    const running = new RunningAssigner(options, session, teardown)
    await running.start()
    return running
  } catch (thrown) {
    await teardown.close()
    throw thrown
  }
}

class RunningAssigner implements Assigner {
  readonly session: ZooKeeperSession
  readonly #options: AssignerOptions
  readonly #paths: TreePaths
  readonly #teardown: Teardown
  readonly #stop = new AbortController()
  readonly #observation: Observation
  readonly #cache: TreeCache
  readonly #publisher: Publisher
  readonly #loop: ControlLoop
  readonly #measuring: Measuring
  readonly #resolving: Resolving
  readonly #link: LeaderLink
  readonly #configurations: Configurations
  readonly #operations: Operations
  readonly #metrics = createMetrics()
  #leadership: Leadership | undefined
  #server: HttpServer | undefined
  #heardAtMs: number
  #tree: { revision: number; atMs: number; answer: TreeAnswer } | undefined

  constructor(options: AssignerOptions, session: ZooKeeperSession, teardown: Teardown) {
    const { clock, log, reportIntervalMs, sessionTimeoutMs } = options
    this.#options = options
    this.session = session
    this.#teardown = teardown
    this.#paths = treePaths(options.root)
    this.#heardAtMs = clock.monotonicMs()
    const membership = new Membership({ reportIntervalMs, sessionTimeoutMs })
    membership.resume(this.#heardAtMs)
    const { id } = options
    this.#configurations = new Configurations({
      ...{ session, paths: this.#paths, id, log },
      onChange: () => {
        this.#observation.look(true)
        this.#loop.wake()
      },
    })
    this.#observation = new Observation({
      ...options,
      membership,
      redistribution: () => this.#configurations.policy?.redistribution ?? options.redistribution,
    })
    const http = createHttpClient({ connectionsPerOrigin: 4, connectTimeoutMs: 1_000 })
    teardown.add('the HTTP client', () => http.close())
    this.#link = new LeaderLink(http, clock)
    this.#cache = new TreeCache(session, this.#paths, {
      log,
      onSnapshot: (snapshot) => {
        const { revision } = this.#observation
        this.#observation.take(snapshot)
        this.#loop.forgetKnown()
        if (this.#observation.revision !== revision) this.#loop.wake()
      },
    })
    this.#publisher = new Publisher({ session, paths: this.#paths, id, log })
    this.#loop = new ControlLoop({
      ...options,
      cache: this.#cache,
      observation: this.#observation,
      lead: () => this.#leadership?.lead,
      onFenced: (lead) => {
        this.#leadership?.deposed(lead)
      },
      publisher: this.#publisher,
    })
    this.#measuring = new Measuring({
      collectors: new Collectors({ http, log, clock }),
      observation: this.#observation,
      log,
      onMeasured: () => {
        this.#loop.wake()
      },
    })
    this.#resolving = new Resolving({
      ...options,
      observation: this.#observation,
      ageMs: () => this.#ageMs(),
      refresh: () => this.#refresh(),
      isWanted: (group) => this.#loop.isWanted(group),
      outlived: (request, forwarded) => this.#outlived(request, forwarded),
      pursue: (work) => this.#pursue(work),
    })
    this.#operations = this.#operationsOf(options)
  }

  #operationsOf({ id, housekeepingIntervalMs, forgetAfterMs, clock, log }: AssignerOptions): Operations {
    return new Operations({
      ...{ id, housekeepingIntervalMs, forgetAfterMs, clock, log, session: this.session, paths: this.#paths },
      ...{ cache: this.#cache, observation: this.#observation, loop: this.#loop, configurations: this.#configurations },
      refresh: () => this.#refresh(),
      onFenced: (lead) => {
        this.#leadership?.deposed(lead)
      },
    })
  }

  get url(): string {
    return this.#server?.url ?? ''
  }

  get term(): number | undefined {
    return this.#leadership?.lead?.term
  }

  async start(): Promise<void> {
    const { id, log } = this.#options
    await this.#ensureTree()
    this.#teardown.add('the tree', () => this.#cache.close())
    this.#teardown.add('the control loop', () => this.#loop.close())
    this.#configurations.start()
    this.#teardown.add('the configuration', () => this.#configurations.close())
    this.#teardown.add('the polling of loads', () => this.#measuring.close())
    this.#followSession()
    await this.#cache.refresh({ sync: true })
    addGauges(this.#metrics, {
      observation: this.#observation,
      loop: this.#loop,
      resolving: this.#resolving,
      term: () => this.term,
      imbalance: () => this.tree().imbalance,
      ageMs: () => this.#ageMs(),
    })
    this.#server = await startHttpServer({ ...this.#options, routes: this.#routes() })
    const server = this.#server
    this.#teardown.add('the HTTP server', () => server.close(1_000))
    this.#operations.start(server.url)
    this.#teardown.add('what it does for operators', () => this.#operations.close())
    this.#leadership = new Leadership({
      session: this.session,
      paths: this.#paths,
      self: { id, url: server.url },
      log,
      prepare: () => this.#prepare(),
      onLead: (lead) => {
        this.#lead(lead)
      },
      onDeposed: () => {
        this.#loop.deposed()
        this.#observation.loads.clear()
      },
    })
    const leadership = this.#leadership
    this.#teardown.add('the candidacy', () => leadership.close())
    leadership.stand()
  }

  tree(): TreeAnswer {
    const { clock, id, root } = this.#options
    // Silence is no event: who has stopped reporting is found by looking.
    if (this.#tree === undefined || clock.monotonicMs() - this.#tree.atMs > treeKeptMs) this.#observation.look()
    const { revision, epoch, leader, frozen, snapshot } = this.#observation
    const nowMs = clock.monotonicMs()
    if (this.#tree?.revision !== revision || nowMs - this.#tree.atMs > treeKeptMs) {
      const about = { root, epoch, leader, frozen, at: clock.now(), ageMs: 0, answeredBy: id }
      const assigners = snapshot?.candidates ?? []
      const inTree = snapshot === undefined ? [] : treeProblems(snapshot)
      const problems = [...inTree, ...this.#configurations.problems]
      const answer = treeAnswer(this.#observation.situation([]), { ...about, assigners, problems })
      this.#tree = { revision, atMs: nowMs, answer }
    }
    return { ...this.#tree.answer, at: clock.now(), ageMs: this.#ageMs() }
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the assigner ends'))
    await this.#teardown.close()
  }

  #routes(): ReturnType<typeof assignerRoutes> {
    const common = assignerRoutes({
      metrics: this.#metrics,
      signal: this.#stop.signal,
      resolve: (request) => this.#resolving.handle(request),
      tree: () => this.tree(),
      changed: (waitMs, signal) => this.#observation.changed(waitMs, signal),
      explain: async (group) =>
        explain(group, this.#observation.standpoint(), await this.#publisher.journal(), this.#observation.loads),
      rebalance: async (request, forwarded) => {
        if (this.term !== undefined) return await this.#loop.rebalance(request.mode, request.dryRun)
        const { leader } = this.#observation
        if (leader === undefined || forwarded || leader.id === this.#options.id) throw noLeader()
        return await this.#link.rebalance(leader, request)
      },
      notReady: () =>
        this.session.state === 'connected' ? undefined : `ZooKeeper is not connected (${this.session.state})`,
    })
    return [...common, ...this.#operations.routes(this.#stop.signal)]
  }

  #followSession(): void {
    const { clock, log } = this.#options
    const unsubscribe = this.session.onState((state) => {
      const nowMs = clock.monotonicMs()
      this.#heardAtMs = nowMs
      if (state === 'connected') {
        log.info('ZooKeeper is connected')
        this.#observation.membership.resume(nowMs)
      } else if (state !== 'closed') log.warn('ZooKeeper is not connected: nothing moves until it is', { state })
    })
    this.#teardown.add('following the session', unsubscribe)
  }

  async #ensureTree(): Promise<void> {
    const { collectors, candidates, journal, config, outcomes } = this.#paths
    for (const path of [collectors, candidates, journal, config, outcomes]) await this.session.ensurePath(path)
  }

  async #prepare(): Promise<void> {
    await this.#ensureTree()
    await this.#configurations.prepare({ redistribution: this.#options.redistribution })
    await this.#publisher.readJournalNames()
    await this.#cache.refresh({ sync: true })
  }

  #lead(lead: Lead): void {
    this.#measuring.start(lead.signal)
    this.#operations.lead(lead)
    this.#observation.look(true) // who waits here for a leader asks again
    this.#loop.wake()
  }

  async #pursue({ request, unknown, refusedBy, forwarded }: Pursuit): Promise<void> {
    if (!this.#loop.want(unknown))
      this.#options.log.warn('new groups are not created: a limit is reached', { groupsMax, wantedGroupsMax })
    if (this.term !== undefined) {
      await Promise.all(refusedBy.map((id) => this.#measuring.probe(id, this.#stop.signal)))
      if (refusedBy.length > 0) this.#loop.wake()
      return
    }
    const { leader } = this.#observation
    if (leader === undefined || forwarded || leader.id === this.#options.id) return
    const asked = new Set(unknown)
    const refusing = new Set(refusedBy)
    const groups = request.groups
      .filter(({ group, refusedBy: by }) => asked.has(group) || (by !== undefined && refusing.has(by)))
      .map(({ group, refusedBy: by }) => ({ group, ...(by !== undefined && { refusedBy: by }) }))
    await this.#tellLeader(leader, groups)
  }

  async #outlived({ groups }: ResolveRequest, forwarded: boolean): Promise<void> {
    const { epoch, leader } = this.#observation
    const newer = groups.filter((asked) => (asked.epoch ?? 0) > epoch)
    if (this.term !== undefined) for (const asked of newer) this.#loop.reported(asked.epoch ?? 0)
    else if (leader !== undefined && !forwarded && leader.id !== this.#options.id) await this.#tellLeader(leader, newer)
  }

  async #tellLeader(leader: Leader, groups: ResolveRequest['groups']): Promise<void> {
    try {
      await this.#link.pursue(leader, groups)
    } catch (thrown) {
      this.#options.log.debug('the leader cannot be asked', { leader: leader.id, reason: asError(thrown).message })
    }
  }

  async #refresh(): Promise<void> {
    if (this.session.state !== 'connected') throw notConnected()
    await this.#cache.refresh({ sync: true })
  }

  #ageMs(): number {
    return this.session.state === 'connected' ? 0 : this.#options.clock.monotonicMs() - this.#heardAtMs
  }
}

function notConnected(): CatchmentError {
  const text = 'ZooKeeper is not connected: what is assigned keeps flowing, and nothing can be changed until it is'
  return new CatchmentError('not-connected', text, { blame: 'machine', retryable: true })
}

/** How long a tree answer serves everyone who asks, while nothing changes. */
const treeKeptMs = 1_000
