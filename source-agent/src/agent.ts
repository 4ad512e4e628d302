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
import { Assigners } from './assigners.ts'
import { openCheckpointLog, type CheckpointLog } from './checkpoint-log.ts'
import { Counters } from './counters.ts'
import { walk, type Walk } from './discovery.ts'
import { Follower, tickMs } from './follower.ts'
import { excluder, parseGlob, type Glob } from './globs.ts'
import { HeldFile } from './held-file.ts'
import { limits } from './limits.ts'
import { Loads } from './loads.ts'
import { Reading } from './reading.ts'
import { recover } from './recovery.ts'
import { Resolver } from './resolver.ts'
import { Shipping } from './shipping.ts'
import { Unreadable } from './unreadable.ts'
import { startWatcher, type Watcher } from './watcher.ts'

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

export interface Agent {
  readonly counters: Counters
  /** What `status.json` holds. */
  status(): Record<string, unknown>
  /** Sends what is under way, at most `graceMs` long, and makes the checkpoint durable. 0: leaves all as a crash would. */
  stop(graceMs: number): Promise<void>
}

const statusMs = 2000
const hintScanMs = 50
const fileHintMs = 2
/** The least that a disk is given to make durable what is known at the end. */
const writeMs = 300
/** So long an end that leaves all as a crash would waits for calls to the system that cannot be taken back. */
const crashMs = 5000

/** Follows and ships until stopped. Resolves when what was there at the start is being followed. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { clock, log, directory } = options
  const checkpoints = await openCheckpointLog(directory, clock, log)
  const running = new RunningAgent(options, checkpoints)
  await running.start()
  return running
}

class RunningAgent implements Agent {
  readonly counters = new Counters()
  readonly #options: AgentOptions
  readonly #checkpoints: CheckpointLog
  readonly #background: Background
  readonly #teardown = new Teardown()
  readonly #assigners: Assigners
  readonly #resolver: Resolver
  readonly #follower: Follower
  readonly #reading: Reading
  readonly #shipping: Shipping
  readonly #loads: Loads
  readonly #globs: readonly Glob[]
  #excluded: (path: string) => boolean = () => false
  #watcher: Watcher | undefined
  #watched = ''
  #rescan: () => void = () => undefined
  #rescanAsked = false
  readonly #hinted = new Set<string>()
  readonly #unreadable: Unreadable

  constructor(options: AgentOptions, checkpoints: CheckpointLog) {
    const { clock, random, log, directory, assigners, identity: agent, requestTimeoutMs } = options
    this.#options = options
    this.#checkpoints = checkpoints
    this.#unreadable = new Unreadable(clock, log)
    this.#background = new Background((name, error) => {
      log.error('background work failed', { name, reason: error.stack ?? error.message })
    })
    const background = this.#background
    const http = createHttpClient({ connectionsPerOrigin: 8, connectTimeoutMs: 5000 })
    this.#teardown.add('the HTTP client', () => http.close())
    const counters = this.counters
    const loads = new Loads(clock)
    this.#loads = loads
    this.#globs = options.follow.map((text) => parseGlob(text, options.workingDirectory))
    this.#assigners = new Assigners({
      ...{ seeds: assigners, http, clock, random, log, directory, refreshMs: options.assignersRefreshMs },
    })
    this.#resolver = new Resolver({
      ...{ assigners: this.#assigners, agent, http, clock, random, log, directory },
      onChanged: (groups) => {
        this.#shipping.routed(groups)
      },
    })
    const follower = new Follower({
      ...{ clock, random, log, checkpoints, counters, loads, groupOf: options.groupOf },
      reading: () => this.#reading,
      shipping: () => this.#shipping,
    })
    this.#follower = follower
    this.#shipping = new Shipping({
      ...{ agent, http, clock, random, log, background, checkpoints, loads, counters, requestTimeoutMs },
      resolver: this.#resolver,
      hold: (followed) => follower.hold(followed),
      freed: (followed, bytes) => {
        this.#reading.freed(bytes)
        this.#reading.wake(followed)
      },
      diverged: (followed) => {
        follower.diverged(followed)
      },
      missingAnswered: (turn, end) => {
        follower.losses.answered(turn, end)
      },
      advanced: (followed) => {
        follower.settle(followed)
      },
    })
    this.#reading = new Reading({
      ...{ clock, log, loads, counters, partialFlushMs: options.partialFlushMs },
      hold: (followed) => follower.hold(followed),
      mayRead: (followed, heldBytes) => this.#shipping.mayRead(followed, heldBytes),
      onFrame: (followed) => {
        this.#shipping.poke(followed)
      },
      onChanged: (followed) => {
        follower.truncated(followed)
      },
    })
  }

  async start(): Promise<void> {
    const { directory, exclude, workingDirectory, clock, log, from } = this.#options
    const own = await realpath(directory)
    this.#excluded = excluder([...(await withRealPaths(exclude)), own], workingDirectory)
    this.counters.add('damaged_checkpoints', this.#checkpoints.damaged)
    await this.#resolver.load()
    await this.#assigners.load()
    const first = await this.#walk()
    const { checkpoints, counters } = { checkpoints: this.#checkpoints, counters: this.counters }
    await recover({ clock, log, checkpoints, counters, follower: this.#follower }, first.found)
    for (const found of first.found) this.#follower.discover(found, from, false)
    if (this.#follower.size === 0) log.warn('no file matches yet, waiting for some', { follow: this.#options.follow })
    this.#unreadable.tell(new Set([...first.unreadable, ...this.#follower.unreadable]))
    this.#watch(first)
    this.#background.run('resolving', (signal) => this.#resolver.run(signal))
    this.#background.run('finding assigners', (signal) => this.#assigners.run(signal))
    this.#background.run('looking', (signal) => this.#looks(signal))
    this.#background.run('scanning', (signal) => this.#scans(signal))
    this.#background.run('status', (signal) => this.#statuses(signal))
  }

  status(): Record<string, unknown> {
    const { identity, directory, clock } = this.#options
    return {
      ...{ agent: identity, directory, at: clock.now(), pid: process.pid },
      following: this.#follower.size,
      openFiles: HeldFile.open,
      memoryBytes: this.#reading.heldBytes,
      backlogBytes: this.#loads.backlogBytes,
      checkpointsDurable: this.#checkpoints.settled,
      unreadable: this.#follower.unreadable.size,
      assigners: this.#assigners.all,
      groups: Object.fromEntries([...this.#resolver.groups].slice(0, 1000)),
      counters: this.counters.all(),
    }
  }

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
    await this.#within(leftMs() / 2, 'the watcher', this.#watcher?.close())
    if (graceMs > 0) {
      await this.#within(Math.max(leftMs(), writeMs), 'the checkpoints', this.#checkpoints.flush())
      await this.#within(writeMs, 'the assignment', this.#resolver.save())
      await this.#writeStatus()
    }
    await this.#within(leftMs(), 'reading', this.#idle())
    await this.#within(Math.max(leftMs(), writeMs), 'the checkpoint log', this.#checkpoints.close())
    for (const followed of this.#follower.all) followed.file?.release()
    await this.#teardown.close()
    log.info('stopped', { counters: this.counters.all(), backlogBytes: this.#loads.backlogBytes })
  }

  /** A pool that is busy or a disk that hangs must not keep the process: `what` is waited for `limitMs` long. */
  async #within(limitMs: number, what: string, work: Promise<unknown> | undefined): Promise<void> {
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

  async #walk(): Promise<Walk> {
    return walk({
      globs: this.#globs,
      excluded: this.#excluded,
      known: (path) => this.#follower.knowsPath(path),
      signal: this.#background.signal,
    })
  }

  async #looks(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (let tick = 1; ; tick += 1) {
      await sleep(clock, tickMs, signal)
      this.#follower.tick()
      this.#reading.wake()
      if (tick % 4 === 0) this.#watcher?.setHotFiles(this.#follower.hotPaths())
    }
  }

  async #scans(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    for (;;) {
      await this.#scanDue(signal)
      signal.throwIfAborted()
      this.#rescanAsked = false
      const seen = await this.#walk()
      signal.throwIfAborted()
      for (const found of seen.found) this.#follower.discover(found)
      this.#unreadable.tell(new Set([...seen.unreadable, ...this.#follower.unreadable]))
      this.#watch(seen)
      await sleep(clock, hintScanMs, signal)
    }
  }

  /** The interval has passed, a watcher has hinted, or all ends. */
  #scanDue(signal: AbortSignal): Promise<void> {
    const { clock, rescanMs } = this.#options
    return new Promise((resolve) => {
      const timer = clock.after(this.#rescanAsked ? hintScanMs : rescanMs, () => {
        this.#rescan()
      })
      this.#rescan = () => {
        timer.cancel()
        signal.removeEventListener('abort', this.#rescan)
        resolve()
      }
      signal.addEventListener('abort', this.#rescan, { once: true })
    })
  }

  #watch(seen: Walk): void {
    const directories = seen.directories.slice(0, limits.watchedDirectoriesMax)
    const watched = directories.join('\n')
    if (watched === this.#watched) return
    this.#watched = watched
    const old = this.#watcher
    this.#background.run('closing a watcher', async () => old?.close())
    this.#watcher = startWatcher(directories, {
      structure: () => {
        this.#rescanAsked = true
        this.#rescan()
      },
      file: (path) => {
        this.#hint(path)
      },
      failed: (error) => {
        this.#options.log.warn('watching failed, looking at intervals', { reason: asError(error).message })
      },
    })
    this.#watcher.setHotFiles(this.#follower.hotPaths())
  }

  /** Hints come in bursts: one look answers them all. */
  #hint(path: string): void {
    if (this.#hinted.size === 0)
      this.#options.clock.after(fileHintMs, () => {
        const paths = [...this.#hinted]
        this.#hinted.clear()
        if (!this.#background.signal.aborted) for (const hinted of paths) this.#follower.hint(hinted)
      })
    this.#hinted.add(path)
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
