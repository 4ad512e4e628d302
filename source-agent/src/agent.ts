// One source-agent: discovery, following, reading and shipping put together, and its life from start to end.

import { realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  asError,
  Background,
  createHttpClient,
  sleep,
  Teardown,
  type Clock,
  type Log,
  type Random,
} from '@catchment/runtime'
import type { AgentIdentity } from '@catchment/protocol'
import { openCheckpointLog, type CheckpointLog } from './data/checkpoint-log.ts'
import { excluder, parseGlob } from './files/globs.ts'
import { HeldFile } from './files/held-file.ts'
import { OpenFiles } from './files/open-files.ts'
import { Follower, tickMs } from './following/follower.ts'
import { recover } from './following/recovery.ts'
import { Scanner } from './following/scanner.ts'
import { Counters } from './metering/counters.ts'
import { Loads } from './metering/loads.ts'
import { Reading } from './reading/reading.ts'
import { Assigners } from './routing/assigners.ts'
import { Resolver } from './routing/resolver.ts'
import { Losses } from './shipping/losses.ts'
import { Shipping } from './shipping/shipping.ts'
import { MemoryBudget } from './streams/memory-budget.ts'

export interface AgentOptions {
  readonly identity: AgentIdentity
  readonly assigners: readonly string[]
  readonly groupOf: (path: string) => string
  readonly follow: readonly string[]
  readonly exclude: readonly string[]
  readonly directory: string
  readonly workingDirectory: string
  readonly from: 'start' | 'end'
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly partialFlushMs: number
  readonly requestTimeoutMs: number
  readonly rescanMs: number
  readonly assignersRefreshMs: number
}

const statusMs = 2000
/** The least that a disk is given to make durable what is known at the end. */
const writeMs = 300
/** How long an end that leaves all as a crash would waits for system calls that cannot be taken back. */
const crashMs = 5000

/** Follows and ships until stopped. Resolves when what was there at the start is being followed. */
export async function startAgent(options: AgentOptions): Promise<SourceAgent> {
  const { clock, log, directory, exclude, workingDirectory } = options
  const paths = [...(await withRealPaths(exclude)), await realpath(directory)]
  const checkpoints = await openCheckpointLog(directory, clock, log)
  const agent = new SourceAgent(options, checkpoints, excluder(paths, workingDirectory))
  await agent.start()
  return agent
}

/**
 * The parts, from the bottom up: each is given those below it, and calls them. Bytes go down: the scanner finds a file, the
 * follower looks at it, reading takes blocks of it, shipping sends them. What goes back up (an advanced checkpoint, a
 * changed route) is an event of the lower part, to which the upper one is subscribed here.
 */
export class SourceAgent {
  readonly counters = new Counters()
  readonly #options: AgentOptions
  readonly #checkpoints: CheckpointLog
  readonly #background: Background
  readonly #teardown = new Teardown()
  readonly #loads: Loads
  readonly #memory = new MemoryBudget()
  readonly #files = new OpenFiles()
  readonly #losses: Losses
  readonly #assigners: Assigners
  readonly #resolver: Resolver
  readonly #shipping: Shipping
  readonly #reading: Reading
  readonly #follower: Follower
  readonly #scanner: Scanner

  constructor(options: AgentOptions, checkpoints: CheckpointLog, excluded: (path: string) => boolean) {
    const { clock, random, log, directory, identity: agent, requestTimeoutMs, partialFlushMs, rescanMs } = options
    const { counters } = this
    const [memory, files] = [this.#memory, this.#files]
    this.#options = options
    this.#checkpoints = checkpoints
    const background = new Background((name, error) => {
      log.error('background work failed', { name, reason: error.stack ?? error.message })
    })
    const http = createHttpClient({ connectionsPerOrigin: 8, connectTimeoutMs: 5000 })
    this.#teardown.add('the HTTP client', () => http.close())
    const loads = new Loads(clock)
    const losses = new Losses(log, counters)
    const assigners = new Assigners({
      ...{ seeds: options.assigners, http, clock, random, log, directory, refreshMs: options.assignersRefreshMs },
    })
    const resolver = new Resolver({ assigners, agent, http, clock, random, log, directory })
    const shipping = new Shipping({
      ...{ agent, http, clock, random, log, background, checkpoints, resolver, loads, counters, losses },
      ...{ memory, files, requestTimeoutMs },
    })
    const reading = new Reading({ clock, log, loads, counters, memory, files, shipping, partialFlushMs })
    const follower = new Follower({
      ...{ clock, random, log, checkpoints, counters, loads, losses, memory, files, shipping, reading },
      groupOf: options.groupOf,
    })
    const globs = options.follow.map((text) => parseGlob(text, options.workingDirectory))
    this.#scanner = new Scanner({ clock, log, background, globs, excluded, files, follower, rescanMs })
    this.#background = background
    this.#loads = loads
    this.#losses = losses
    this.#assigners = assigners
    this.#resolver = resolver
    this.#shipping = shipping
    this.#reading = reading
    this.#follower = follower
    this.#subscribe()
  }

  /** What flows back. */
  #subscribe(): void {
    this.#resolver.events.on('changed', (groups) => {
      this.#shipping.routed(groups)
    })
    this.#shipping.events.on('assigned', (stream) => {
      this.#follower.assigned(stream)
    })
    this.#shipping.events.on('advanced', (stream) => {
      this.#follower.advanced(stream)
    })
    this.#shipping.events.on('diverged', (stream) => {
      this.#follower.diverged(stream)
    })
    this.#reading.events.on('changed', (followed) => {
      this.#follower.truncated(followed)
    })
  }

  async start(): Promise<void> {
    const { clock, log, from, follow } = this.#options
    const { counters } = this
    const [checkpoints, follower, scanner] = [this.#checkpoints, this.#follower, this.#scanner]
    counters.add('damaged_checkpoints', checkpoints.damaged)
    await this.#resolver.load()
    await this.#assigners.load()
    const first = await scanner.walk()
    const [losses, memory] = [this.#losses, this.#memory]
    await recover({ clock, log, checkpoints, counters, losses, memory, follower }, first.found)
    for (const found of first.found) follower.discover(found, from, false)
    if (follower.size === 0) log.warn('no file matches yet, waiting for some', { follow })
    scanner.followed(first)
    this.#background.run('resolving', (signal) => this.#resolver.run(signal))
    this.#background.run('finding assigners', (signal) => this.#assigners.run(signal))
    this.#background.run('looking', (signal) => this.#looks(signal))
    this.#background.run('scanning', (signal) => scanner.run(signal))
    this.#background.run('status', (signal) => this.#statuses(signal))
  }

  /** What `status.json` holds. */
  status(): Record<string, unknown> {
    const { identity, directory, clock } = this.#options
    return {
      ...{ agent: identity, directory, at: clock.now(), pid: process.pid },
      following: this.#follower.size,
      openFiles: HeldFile.open,
      memoryBytes: this.#memory.heldBytes,
      backlogBytes: this.#loads.backlogBytes,
      checkpointsDurable: this.#checkpoints.settled,
      unreadable: this.#files.unreadable.size,
      assigners: this.#assigners.all,
      groups: Object.fromEntries([...this.#resolver.groups].slice(0, 1000)),
      counters: this.counters.all(),
    }
  }

  /** Sends what is under way, at most `graceMs` long, and makes the checkpoint durable. 0: leaves all as a crash would. */
  async stop(graceMs: number): Promise<void> {
    const { clock, log } = this.#options
    const endMs = clock.monotonicMs() + graceMs
    this.#reading.stop()
    const leftMs = (): number => (graceMs > 0 ? Math.max(0, endMs - clock.monotonicMs()) : crashMs)
    // Two thirds for what is under way, the rest for what must be written.
    while (graceMs > 0 && leftMs() > graceMs / 3 && this.#busy()) await sleep(clock, 10)
    const ended = this.#background.close()
    await this.#within(leftMs() / 2, 'background work', ended)
    this.#shipping.stop()
    await this.#within(leftMs() / 2, 'the watcher', this.#scanner.close())
    if (graceMs > 0) {
      await this.#within(Math.max(leftMs(), writeMs), 'the checkpoints', this.#checkpoints.flush())
      await this.#within(writeMs, 'the assignment', this.#resolver.save())
      await this.#writeStatus()
    }
    await this.#within(leftMs(), 'reading', this.#idle())
    await this.#within(Math.max(leftMs(), writeMs), 'the checkpoint log', this.#checkpoints.close())
    this.#files.releaseAll()
    await this.#teardown.close()
    log.info('stopped', { counters: this.counters.all(), backlogBytes: this.#loads.backlogBytes })
  }

  /** A pool that is busy or a disk that hangs must not keep the process: `what` is waited for `limitMs` long. */
  async #within(limitMs: number, what: string, work: Promise<unknown>): Promise<void> {
    const enough = new AbortController()
    const limit = sleep(this.#options.clock, limitMs, enough.signal).then(
      () => {
        this.#options.log.warn('ending without waiting for something', { what, limitMs: Math.round(limitMs) })
      },
      () => undefined, // it has ended first
    )
    await Promise.race([work, limit])
    enough.abort(new Error('ended'))
  }

  async #idle(): Promise<void> {
    while (!this.#reading.idle) await sleep(this.#options.clock, 5)
  }

  /** Something is under way, or read and could be sent at once. */
  #busy(): boolean {
    return this.#shipping.requestsUnderWay > 0 || !this.#reading.idle
  }

  async #looks(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (let tick = 1; ; tick += 1) {
      await sleep(clock, tickMs, signal)
      this.#follower.tick()
      this.#reading.wake()
      if (tick % 4 === 0) this.#scanner.watchHotFiles()
    }
  }

  async #statuses(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#writeStatus()
      await sleep(this.#options.clock, statusMs, signal)
    }
  }

  async #writeStatus(): Promise<void> {
    const path = join(this.#options.directory, 'status.json')
    await writeFile(path, `${JSON.stringify(this.status())}\n`, { mode: 0o600 }).catch((thrown: unknown) => {
      this.#options.log.debug('cannot write the status', { reason: asError(thrown).message })
    })
  }
}

async function withRealPaths(paths: readonly string[]): Promise<string[]> {
  const real = await Promise.all(paths.map((path) => realpath(path).catch(() => path)))
  return [...new Set([...paths, ...real])]
}
