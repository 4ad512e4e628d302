// Finds files: walks the directories at intervals, and sooner when a watcher hints at a change. What is found goes to the
// follower, and so do the hints that a followed file was written.

import { asError, sleep, type Background, type Clock, type Log } from '@catchment/runtime'
import { walk, type Walk } from '../files/discovery.ts'
import type { Glob } from '../files/globs.ts'
import type { OpenFiles } from '../files/open-files.ts'
import { Unreadable } from '../files/unreadable.ts'
import { startWatcher, type Watcher } from '../files/watcher.ts'
import { limits } from '../metering/limits.ts'
import type { Follower } from './follower.ts'

export interface ScannerOptions {
  readonly clock: Clock
  readonly log: Log
  readonly background: Background
  readonly globs: readonly Glob[]
  readonly excluded: (path: string) => boolean
  readonly files: OpenFiles
  readonly follower: Follower
  readonly rescanMs: number
}

const hintScanMs = 50
const fileHintMs = 2

export class Scanner {
  readonly #options: ScannerOptions
  readonly #unreadable: Unreadable
  readonly #hinted = new Set<string>()
  #watcher: Watcher | undefined
  #watched = ''
  #rescan: () => void = () => undefined
  #rescanAsked = false

  constructor(options: ScannerOptions) {
    this.#options = options
    this.#unreadable = new Unreadable(options.clock, options.log)
  }

  async walk(): Promise<Walk> {
    const { globs, excluded, follower, background } = this.#options
    return walk({ globs, excluded, known: (path) => follower.knowsPath(path), signal: background.signal })
  }

  /** The files of `seen` are followed: reports those that cannot be read, and watches the directories. */
  followed(seen: Walk): void {
    this.#unreadable.report(new Set([...seen.unreadable, ...this.#options.files.unreadable]))
    this.#watch(seen)
  }

  /** Scans until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, follower } = this.#options
    for (;;) {
      await this.#scanDue(signal)
      signal.throwIfAborted()
      this.#rescanAsked = false
      const seen = await this.walk()
      signal.throwIfAborted()
      for (const found of seen.found) follower.discover(found)
      this.followed(seen)
      await sleep(clock, hintScanMs, signal)
    }
  }

  /** Has the files watched that were written last. */
  watchHotFiles(): void {
    this.#watcher?.setHotFiles(this.#options.follower.hotPaths())
  }

  async close(): Promise<void> {
    await this.#watcher?.close()
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
    this.#options.background.run('closing a watcher', async () => old?.close())
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
    this.watchHotFiles()
  }

  /** Hints come in bursts: one look answers them all. */
  #hint(path: string): void {
    const { clock, background, follower } = this.#options
    if (this.#hinted.size === 0)
      clock.after(fileHintMs, () => {
        const paths = [...this.#hinted]
        this.#hinted.clear()
        if (!background.signal.aborted) for (const hinted of paths) follower.hint(hinted)
      })
    this.#hinted.add(path)
  }
}
