// The collector put together. Order matters: the disk first, then the own list read after a sync, then the door, then the
// status in the tree; and frames are taken only when all of that stands.

import { join } from 'node:path'
import { openSession, type ZooKeeperSession } from '@catchment/coordination'
import { treePaths, type CollectorStatus } from '@catchment/protocol'
import {
  asError,
  Background,
  CatchmentError,
  codeOf,
  createMetrics,
  sleep,
  startHttpServer,
  Teardown,
  type Clock,
  type HttpServer,
  type Log,
  type Metrics,
  type Random,
} from '@catchment/runtime'
import { Assignment } from './cluster/assignment.ts'
import { controlRoutes } from './control-routes.ts'
import { openDataDirectory, type DataDirectory } from './segments/data-directory.ts'
import { LoadMeter } from './decide/load.ts'
import { isServed } from './decide/routing.ts'
import { DeliveryLoop } from './delivery/delivery-loop.ts'
import type { Disk } from './segments/disk.ts'
import { DiskProbe } from './cluster/disk-probe.ts'
import { Ingest } from './ingest/ingest.ts'
import { Member } from './cluster/membership.ts'
import { Mirror } from './sinks/mirror/mirror.ts'
import { Retention } from './delivery/retention.ts'
import { Store } from './segments/store.ts'

export const reportIntervalMs = 2000
/** From SIGTERM on: requests under way end, and what is stored is delivered. */
export const stopGraceMs = 5000
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

export interface Collector {
  readonly url: string
  readonly settings: CollectorSettings
  /** Rejects when the collector must end: the disk failed, or another process took its id. Never resolves. */
  readonly failed: Promise<never>
  /** Finishes requests, delivers within the grace, leaves the tree. */
  stop(): Promise<void>
}

/** Throws CatchmentError: `in-use`, `refused`, `port-in-use`, … (the operator's) or a ZooKeeperError. */
export async function startCollector(settings: CollectorSettings, surroundings: Surroundings): Promise<Collector> {
  const collector = new RunningCollector(settings, surroundings)
  try {
    await collector.start()
  } catch (thrown) {
    await collector.abandon()
    throw thrown
  }
  return collector
}

class RunningCollector implements Collector {
  readonly settings: CollectorSettings
  readonly failed: Promise<never>
  readonly #around: Surroundings
  readonly #metrics: Metrics = createMetrics()
  readonly #teardown = new Teardown()
  readonly #background: Background
  #fail: (error: CatchmentError) => void = () => undefined
  #parts: Parts | undefined
  #state: CollectorStatus['state'] = 'serving'
  #session: ZooKeeperSession | undefined
  #member: Member | undefined
  #reportNow: (() => void) | undefined
  #broken = false

  constructor(settings: CollectorSettings, surroundings: Surroundings) {
    this.settings = settings
    this.#around = surroundings
    this.failed = new Promise((_, reject) => {
      this.#fail = (error) => {
        this.#broken = true
        if (this.#parts !== undefined) this.#parts.ingest.open = false
        reject(error)
      }
    })
    this.failed.catch(() => undefined) // whoever holds the collector waits for it
    this.#background = new Background((name, error) => {
      surroundings.log.error(`${name} failed`, { reason: error.message })
    })
  }

  get url(): string {
    return this.#parts?.server.url ?? ''
  }

  async start(): Promise<void> {
    const { clock, random, log } = this.#around
    const { settings } = this
    const directory = await openDataDirectory(settings.data, `collector ${settings.id}`, random)
    this.#teardown.add('the data directory', () => {
      directory.lock.release()
    })
    const probe = await DiskProbe.open(this.#around.disk, directory.path)
    this.#teardown.add('the probe of the disk', () => probe.close())
    const stored = await this.#openDisk(directory)
    const load = new LoadMeter(clock.monotonicMs())
    const assignment = await this.#openAssignment(directory)
    const ingest = new Ingest({
      id: settings.id,
      store: stored.store,
      assignment,
      load,
      clock,
      log,
      metrics: this.#metrics,
      dataBytesMax: settings.diskMax,
    })
    const parts = { ...stored, directory, assignment, load, ingest }
    const connected = await this.#connect(parts)
    const server = await this.#openDoor(parts)
    this.#parts = { ...parts, server }
    if (connected) await this.#member?.join(this.#status())
    else this.#background.run('joining', (signal) => this.#joinLater(signal))
    ingest.open = true
    this.#background.run('reporting', (signal) => this.#report(probe, signal))
  }

  async stop(): Promise<void> {
    const parts = this.#parts
    if (parts === undefined) return
    this.#state = 'stopping'
    if (!this.#broken) {
      const deadlineMs = this.#around.clock.monotonicMs() + stopGraceMs
      this.#reportNow?.()
      parts.ingest.open = false
      await parts.server.close(requestGraceMs)
      const delivered = await parts.delivery.drain(Math.max(0, deadlineMs - this.#around.clock.monotonicMs()))
      if (!delivered)
        this.#around.log.warn('stopped before all was delivered; the next start goes on', {
          undeliveredBytes: parts.delivery.undeliveredBytes,
        })
    }
    await this.abandon()
  }

  /** Ends whatever has been started. */
  async abandon(): Promise<void> {
    // Background work may wait for a ZooKeeper that is away: it ends when the session is closed.
    const background = this.#background.close()
    this.#teardown.add('background work', () => background)
    this.#teardown.add('the session', () => this.#session?.close())
    this.#teardown.add('the membership', () => this.#member?.close())
    await this.#teardown.close()
  }

  async #openDisk(directory: DataDirectory): Promise<Stored> {
    const { clock, log, disk } = this.#around
    const { diskMax } = this.settings
    const segmentBytesMax = Math.min(segmentBytesMaxDefault, Math.ceil(diskMax / 8))
    const metrics = this.#metrics
    let opened: Stored | undefined = undefined
    const store = await Store.open({
      disk,
      data: directory.path,
      dataId: directory.dataId,
      segmentBytesMax,
      log,
      metrics,
      onFatal: (error) => {
        this.#fail(error)
      },
      onDurable: () => opened?.delivery.notify(),
    })
    this.#teardown.add('the segments', () => store.close())
    const mirror = await Mirror.open(this.settings.mirror ?? join(directory.path, 'out'))
    const delivery = await DeliveryLoop.open({
      data: directory.path,
      disk,
      mirror,
      segments: () => store.segments,
      clock,
      log,
      metrics,
      onDelivered: () => opened?.retention.check(),
    })
    const retention = new Retention({ store, delivery, keptBytesMax: diskMax - segmentBytesMax, log, metrics })
    this.#teardown.add('retention', () => retention.close())
    this.#teardown.add('delivery', () => delivery.close())
    opened = { store, delivery, retention }
    metrics.gauge('data_bytes', 'bytes of all segments', () => store.dataBytes)
    metrics.gauge('streams', 'streams whose ranges are known', () => store.streams)
    delivery.start()
    return opened
  }

  async #openAssignment(directory: DataDirectory): Promise<Assignment> {
    const { clock, log } = this.#around
    const assignment = new Assignment({
      data: directory.path,
      clock,
      log,
      refresh: () => {
        if (this.#member !== undefined) return this.#member.refresh()
        throw new CatchmentError('starting', 'ZooKeeper was not reached yet', { blame: 'machine', retryable: true })
      },
    })
    await assignment.load()
    this.#teardown.add('the list', () => assignment.close())
    return assignment
  }

  /** False when ZooKeeper cannot be reached and a list is known from before: then that one is served, as stale. */
  async #connect(parts: Omit<Parts, 'server'>): Promise<boolean> {
    try {
      await this.#openMember(parts)
      return true
    } catch (thrown) {
      if (codeOf(thrown) !== 'unreachable' || parts.assignment.list.epoch === 0) throw thrown
      this.#around.log.warn('ZooKeeper cannot be reached; the groups of the last known list are served', {
        reason: asError(thrown).message,
        epoch: parts.assignment.list.epoch,
      })
      return false
    }
  }

  /** Tries until ZooKeeper is there. */
  async #joinLater(signal: AbortSignal): Promise<void> {
    const parts = this.#parts
    while (parts !== undefined && !signal.aborted) {
      try {
        await this.#openMember(parts)
        await this.#member?.join(this.#status())
        return
      } catch (thrown) {
        if (thrown instanceof CatchmentError && thrown.code === 'refused') {
          this.#fail(thrown)
          return
        }
        this.#around.log.warn('could not join yet, again soon', { reason: asError(thrown).message })
        await sleep(this.#around.clock, reportIntervalMs, signal)
      }
    }
  }

  async #openMember({ directory, load, assignment }: Omit<Parts, 'server'>): Promise<void> {
    const { clock, random, log } = this.#around
    this.#session ??= await openSession({
      servers: this.settings.zookeeper,
      sessionTimeoutMs: this.settings.sessionTimeout,
      clock,
      random,
      log: (message, fields) => {
        log.info(message, fields)
      },
    })
    this.#member ??= await Member.open({
      id: this.settings.id,
      session: this.#session,
      paths: treePaths(this.settings.root),
      directory,
      log,
      onList: (list) => {
        assignment.apply(list)
        for (const group of load.measured()) if (!isServed(assignment.list, group)) load.forget(group)
        this.#reportNow?.()
      },
      onStale: (stale) => {
        assignment.stale = stale
      },
      onRefused: (error) => {
        this.#fail(error)
      },
    })
  }

  async #openDoor(parts: Omit<Parts, 'server'>): Promise<HttpServer> {
    const { settings } = this
    const server = await startHttpServer({
      listen: settings.listen,
      insecure: settings.insecure,
      advertise: settings.advertise,
      log: this.#around.log,
      rawRoutes: [parts.ingest.route],
      routes: controlRoutes({
        ...parts,
        id: settings.id,
        diskMax: settings.diskMax,
        mirror: settings.mirror ?? join(settings.data, 'out'),
        metrics: this.#metrics,
        state: () => this.#state,
        session: () => this.#session?.state ?? 'lost',
      }),
    })
    this.#teardown.add('the HTTP server', () => server.close(this.#broken ? 0 : requestGraceMs))
    return server
  }

  #status(): CollectorStatus {
    const parts = this.#parts
    if (parts === undefined) throw new Error('the status is told when the collector has been put together')
    const { settings } = this
    const { dataId, starts, incarnation } = parts.directory
    return {
      id: settings.id,
      dataId,
      starts,
      incarnation,
      url: parts.server.url,
      zone: settings.zone,
      capacity: { bytesPerSecond: settings.capacity, recordsPerSecond: Math.ceil(settings.capacity / bytesPerRecord) },
      state: this.#state,
      load: parts.load.total(),
      appliedEpoch: parts.assignment.list.epoch,
      reportedAt: this.#around.clock.now(),
    }
  }

  /** Rewrites the status every interval, and at once when the list or the state has changed; while the disk takes writes. */
  async #report(probe: DiskProbe, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#around
    while (!signal.aborted) {
      const changed = new AbortController()
      this.#reportNow = () => {
        changed.abort(new Error('changed'))
      }
      try {
        this.#parts?.load.tick(clock.monotonicMs())
        this.#parts?.retention.check()
        await probe.check(signal)
        await this.#member?.report(this.#status())
      } catch (thrown) {
        log.debug('the status could not be written', { reason: asError(thrown).message })
      }
      await sleep(clock, reportIntervalMs, AbortSignal.any([signal, changed.signal])).catch(() => undefined)
    }
  }
}

interface Stored {
  readonly store: Store
  readonly delivery: DeliveryLoop
  readonly retention: Retention
}

interface Parts extends Stored {
  readonly directory: DataDirectory
  readonly assignment: Assignment
  readonly load: LoadMeter
  readonly ingest: Ingest
  readonly server: HttpServer
}
