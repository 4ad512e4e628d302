// The collector put together, from the bottom up: every part is handed the finished parts that it stands on, and what flows
// back is an event to which this file subscribes. Order matters: the disk first, then this collector's list read after a
// sync, then the HTTP server, then the status in the tree; and frames are taken only when all of that stands.
//
// The way of a frame: Ingest (PUT /v1/frames) → Store → SegmentLog → fdatasync → the answer; and from the event that more is
// durable: DeliveryLoop → BatchReader → Expander → Sink → cursor → Retention.

import { join } from 'node:path'
import { openSession } from '@catchment/coordination'
import { treePaths, type CollectorStatus } from '@catchment/protocol'
import {
  asError,
  codeOf,
  createMetrics,
  startHttpServer,
  Teardown,
  type Clock,
  type HttpServer,
  type Log,
  type Metrics,
  type Random,
} from '@catchment/runtime'
import { Assignment } from './cluster/assignment.ts'
import { DiskProbe } from './cluster/disk-probe.ts'
import { ClusterMember } from './cluster/membership.ts'
import { StatusReporter } from './cluster/status-reporter.ts'
import { controlRoutes } from './control-routes.ts'
import { LoadMeter } from './decide/load.ts'
import { isServed } from './decide/routing.ts'
import { adoptFormerCursor } from './delivery/cursor.ts'
import { Deliveries } from './delivery/deliveries.ts'
import { Retention } from './delivery/retention.ts'
import { Ingest } from './ingest/ingest.ts'
import { Lifecycle } from './lifecycle.ts'
import { openDataDirectory, type CollectorDirectory } from './segments/data-directory.ts'
import type { Disk } from './segments/disk.ts'
import { Store } from './segments/store.ts'
import { mirrorName, openSinks } from './sinks/sinks.ts'

/** From SIGTERM on: requests under way end, and what is stored is delivered. */
const stopGraceMs = 5000
const requestGraceMs = 2000
const segmentBytesMaxDefault = 128 * 1024 * 1024
/** What a record is taken to weigh where only bytes are known: capacity in records follows from capacity in bytes. */
const bytesPerRecord = 50

export interface CollectorSettings {
  readonly zookeeper: string
  readonly root: string
  readonly id: string
  readonly listen: string
  readonly advertise: string | undefined
  readonly insecure: boolean
  readonly data: string
  readonly mirror: string | undefined
  readonly zone: string
  readonly capacity: number
  readonly sessionTimeout: number
  readonly diskMax: number
}

export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly disk: Disk
}

export interface RunningCollector {
  readonly url: string
  /** Rejects when the collector must end: the disk failed, or another process took its id. Never resolves. */
  readonly failed: Promise<never>
  /** Finishes requests, delivers within the grace, leaves the tree. */
  stop(): Promise<void>
}

/** What every step of a start needs. */
interface CollectorStart extends Surroundings {
  readonly settings: CollectorSettings
  readonly metrics: Metrics
  readonly lifecycle: Lifecycle
  /** Ends what has been started, the last first. */
  readonly teardown: Teardown
}

/** Throws CatchmentError: `in-use`, `newer-format`, `refused`, `port-in-use`, … (the operator's) or a ZooKeeperError. */
export async function startCollector(
  settings: CollectorSettings,
  surroundings: Surroundings,
): Promise<RunningCollector> {
  const start = {
    ...surroundings,
    settings,
    metrics: createMetrics(),
    lifecycle: new Lifecycle(),
    teardown: new Teardown(),
  }
  try {
    return await assemble(start)
  } catch (thrown) {
    await start.teardown.close()
    throw thrown
  }
}

async function assemble(start: CollectorStart): Promise<RunningCollector> {
  const { settings, metrics, lifecycle, teardown, clock, log } = start
  const directory = await openDataDirectory(settings.data, `collector ${settings.id}`, start.random)
  teardown.add('the data directory', () => {
    directory.lock.release()
  })
  const probe = await DiskProbe.open(start.disk, directory.path)
  teardown.add('the probe of the disk', () => probe.close())
  const { store, deliveries, retention } = await openStorage(start, directory)
  const load = new LoadMeter(clock.monotonicMs())
  const { member, assignment } = await openCluster(start, directory, load)
  const { id, diskMax: dataBytesMax } = settings
  const ingest = new Ingest({ id, store, assignment, load, clock, log, metrics, dataBytesMax })
  lifecycle.onFailed(() => {
    ingest.open = false
  })
  const joined = await connect(member, assignment, log)
  const answering = {
    id,
    diskMax: dataBytesMax,
    mirror: mirrorPath(settings),
    member,
    assignment,
    load,
    store,
    deliveries,
  }
  const server = await startHttpServer({
    listen: settings.listen,
    insecure: settings.insecure,
    advertise: settings.advertise,
    log,
    rawRoutes: [ingest.route],
    routes: controlRoutes({ ...answering, lifecycle, metrics }),
  })
  teardown.add('the HTTP server', () => server.close(lifecycle.broken ? 0 : requestGraceMs))
  const describe = (): CollectorStatus => statusOf(start, { directory, url: server.url, load, assignment })
  const reporter = new StatusReporter({ member, probe, describe, clock, log })
  teardown.add('the reports of the status', () => reporter.close())
  reporter.onDue(() => {
    load.tick(clock.monotonicMs())
    retention.check()
  })
  reporter.onRefused((error) => {
    lifecycle.fail(error)
  })
  member.onList(() => {
    reporter.reportNow()
  })
  if (joined) await reporter.join()
  ingest.open = true
  reporter.start({ joined })
  return new AssembledCollector(start, { ingest, server, reporter, deliveries })
}

/** What is stored, and its way out. */
async function openStorage(
  { settings, metrics, lifecycle, teardown, clock, log, disk }: CollectorStart,
  directory: CollectorDirectory,
): Promise<{ store: Store; deliveries: Deliveries; retention: Retention }> {
  const data = directory.path
  const segmentBytesMax = Math.min(segmentBytesMaxDefault, Math.ceil(settings.diskMax / 8))
  const store = await Store.open({ disk, data, dataId: directory.dataId, segmentBytesMax, log, metrics })
  teardown.add('the segments', () => store.close())
  store.onFailed((error) => {
    lifecycle.fail(error)
  })
  await adoptFormerCursor(data, mirrorName, log)
  const sinks = await openSinks({ mirror: mirrorPath(settings) })
  const deliveries = await Deliveries.open({ data, disk, store, sinks, clock, log, metrics })
  const keptBytesMax = settings.diskMax - segmentBytesMax
  const retention = new Retention({ store, delivery: deliveries, keptBytesMax, log, metrics })
  teardown.add('retention', () => retention.close())
  teardown.add('delivery', () => deliveries.close())
  store.onDurable(() => {
    deliveries.notify()
  })
  deliveries.onMoved(() => {
    retention.check()
  })
  metrics.gauge('data_bytes', 'bytes of all segments', () => store.dataBytes)
  metrics.gauge('streams', 'streams whose ranges are known', () => store.streams)
  deliveries.start()
  return { store, deliveries, retention }
}

/** This collector's list of groups: from the disk first, then from the tree. */
async function openCluster(
  { settings, lifecycle, teardown, clock, random, log }: CollectorStart,
  directory: CollectorDirectory,
  load: LoadMeter,
): Promise<{ member: ClusterMember; assignment: Assignment }> {
  const member = new ClusterMember({
    id: settings.id,
    paths: treePaths(settings.root),
    directory,
    log,
    openSession: () =>
      openSession({
        servers: settings.zookeeper,
        sessionTimeoutMs: settings.sessionTimeout,
        clock,
        random,
        log: (message, fields) => {
          log.info(message, fields)
        },
      }),
  })
  const assignment = new Assignment({ data: directory.path, clock, log, refresh: () => member.refresh() })
  await assignment.load()
  teardown.add('the list', () => assignment.close())
  teardown.add('the membership', () => member.close())
  member.onList((list) => {
    assignment.apply(list)
    for (const group of load.measured()) if (!isServed(assignment.list, group)) load.forget(group)
  })
  member.onStale((stale) => {
    assignment.stale = stale
  })
  member.onRefused((error) => {
    lifecycle.fail(error)
  })
  return { member, assignment }
}

/** False when ZooKeeper cannot be reached and a list is known from before: then that one is served, as stale. */
async function connect(member: ClusterMember, assignment: Assignment, log: Log): Promise<boolean> {
  try {
    await member.connect()
    return true
  } catch (thrown) {
    if (codeOf(thrown) !== 'unreachable' || assignment.list.epoch === 0) throw thrown
    log.warn('ZooKeeper cannot be reached; the groups of the last known list are served', {
      reason: asError(thrown).message,
      epoch: assignment.list.epoch,
    })
    return false
  }
}

function mirrorPath({ data, mirror }: CollectorSettings): string {
  return mirror ?? join(data, 'out')
}

function statusOf(
  { settings, lifecycle, clock }: CollectorStart,
  {
    directory,
    url,
    load,
    assignment,
  }: {
    readonly directory: CollectorDirectory
    readonly url: string
    readonly load: LoadMeter
    readonly assignment: Assignment
  },
): CollectorStatus {
  const { dataId, starts, incarnation } = directory
  return {
    id: settings.id,
    dataId,
    starts,
    incarnation,
    url,
    zone: settings.zone,
    capacity: { bytesPerSecond: settings.capacity, recordsPerSecond: Math.ceil(settings.capacity / bytesPerRecord) },
    state: lifecycle.state,
    load: load.total(),
    appliedEpoch: assignment.list.epoch,
    reportedAt: clock.now(),
  }
}

interface StoppableParts {
  readonly ingest: Ingest
  readonly server: HttpServer
  readonly reporter: StatusReporter
  readonly deliveries: Deliveries
}

class AssembledCollector implements RunningCollector {
  readonly #start: CollectorStart
  readonly #parts: StoppableParts

  constructor(start: CollectorStart, parts: StoppableParts) {
    this.#start = start
    this.#parts = parts
  }

  get url(): string {
    return this.#parts.server.url
  }

  get failed(): Promise<never> {
    return this.#start.lifecycle.failed
  }

  async stop(): Promise<void> {
    const { lifecycle, teardown } = this.#start
    lifecycle.stop()
    if (!lifecycle.broken) await this.#finish()
    await teardown.close()
  }

  /** Ends the requests that are under way, and delivers what is stored, as far as the grace allows. */
  async #finish(): Promise<void> {
    const { clock, log } = this.#start
    const { ingest, server, reporter, deliveries } = this.#parts
    const deadlineMs = clock.monotonicMs() + stopGraceMs
    reporter.reportNow()
    ingest.open = false
    await server.close(requestGraceMs)
    const delivered = await deliveries.drain(Math.max(0, deadlineMs - clock.monotonicMs()))
    if (!delivered)
      log.warn('stopped before all was delivered; the next start goes on', {
        undeliveredBytes: deliveries.undeliveredBytes,
      })
  }
}
