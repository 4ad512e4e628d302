// What happens to files. The reconcile loop is the truth: every followed file is looked at, the busy ones four times a
// second, the idle ones with growing pauses; hints of a watcher only make a look come sooner.

import type { BigIntStats } from 'node:fs'
import { crc32 } from 'node:zlib'
import { asError, codeOf, type Clock, type Log, type Random } from '@catchment/runtime'
import type { CheckpointLog } from './checkpoint-log.ts'
import { Copies } from './copies.ts'
import type { Counters } from './counters.ts'
import { headBytesMax, sameInode } from './decide/identity.ts'
import { inodeKey, openQuietly, judgeFile, regularFileAt, rotatedSiblings, whoIs, type Found } from './file-looks.ts'
import { beginFollowed, headOf, isDone, tailBefore, toRecord, type Followed } from './followed.ts'
import { Generations } from './generations.ts'
import { HeldFile } from './held-file.ts'
import { limits } from './limits.ts'
import type { Loads } from './loads.ts'
import { Losses } from './losses.ts'
import { LookWheel } from './look-wheel.ts'
import type { Reading } from './reading.ts'
import type { Shipping } from './shipping.ts'

export interface FollowerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly checkpoints: CheckpointLog
  readonly counters: Counters
  readonly loads: Loads
  readonly groupOf: (path: string) => string
  readonly reading: () => Reading
  readonly shipping: () => Shipping
}

export const tickMs = 250
const busyMs = 10_000
const idleTicksMax = 40
/** A file without a name that nobody has written to for this long is over. */
const deletedQuietMs = 10_000

export class Follower {
  readonly #options: FollowerOptions
  readonly #wheel = new LookWheel()
  readonly #byInode = new Map<string, Followed>()
  readonly #byPath = new Map<string, Followed>()
  readonly #all = new Set<Followed>()
  readonly #copies: Copies
  readonly unreadable = new Set<string>()
  readonly losses: Losses
  readonly generations: Generations

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#copies = new Copies(options.clock)
    this.losses = new Losses(options.log, options.counters)
    this.generations = new Generations({
      log: options.log,
      counters: options.counters,
      knows: (stat) => this.#byInode.has(inodeKey(stat)),
      begin: (path, found) => this.begin({ path, at: found.path, stat: found.stat, offset: 0 }),
    })
  }

  get size(): number {
    return this.#all.size
  }

  get all(): Iterable<Followed> {
    return this.#all
  }

  knowsPath(path: string): boolean {
    return this.#byPath.has(path)
  }

  /** Files that were written within the last seconds, the latest first. */
  hotPaths(): string[] {
    const nowMs = this.#options.clock.monotonicMs()
    const hot = [...this.#byPath.values()].filter((followed) => nowMs - followed.grewAtMs < busyMs)
    return hot.sort((a, b) => b.grewAtMs - a.grewAtMs).map((followed) => followed.at)
  }

  /** One tick: looks at those whose turn it is. */
  tick(): void {
    for (const followed of this.#wheel.turn()) this.look(followed)
    this.generations.tick()
  }

  /** A hint: look at the file at `path` now. */
  hint(path: string): void {
    const followed = this.#byPath.get(path)
    if (followed !== undefined) this.look(followed)
  }

  look(followed: Followed): void {
    if (!this.#all.has(followed)) return
    try {
      this.#lookNow(followed)
    } catch (thrown) {
      this.#options.log.warn('cannot look at a file', { path: followed.at, reason: asError(thrown).message })
    }
    if (this.#all.has(followed)) this.#next(followed)
  }

  /** A path that matches and was not known. `from`: where to begin in a file that nobody has read. */
  discover(found: Found, from: 'start' | 'end' = 'start', settled = true): void {
    const { path, stat } = found
    const known = this.#byInode.get(inodeKey(stat))
    if (known !== undefined && sameInode(known.identity, whoIs(stat))) {
      this.#foundAgain(known, path)
      return
    }
    if (this.#all.size >= limits.streamsMax || (settled && this.#copies.mayBe(found, (path) => this.#byPath.get(path))))
      return
    const before = this.generations.newestOf(path)
    if (before !== undefined && before.standing !== 'live') this.generations.lookAfter(before)
    const offset = from === 'end' ? Number(stat.size) : 0
    const followed = this.begin({ path, at: path, stat, offset })
    if (settled) this.#options.loads.appended(followed.group, Number(stat.size))
  }

  /** A new generation of `path`, lying at `at`. */
  begin(of: { path: string; at: string; stat: BigIntStats; offset: number; file?: HeldFile }): Followed {
    const { path, at, stat, offset } = of
    const stream = Buffer.from(this.#options.random.bytes(16)).toString('hex')
    const identity = { ...whoIs(stat), headBytes: 0, headCrc: 0 }
    const group = this.#options.groupOf(path)
    const nowMs = this.#options.clock.monotonicMs()
    const followed = beginFollowed({ stream, path, group, at, offset, nowMs }, identity, of.file)
    this.#options.counters.add('generations', 1)
    this.#options.log.debug('a new generation', { path, lies: at, stream })
    this.add(followed)
    // Known from now on: rotated while no agent runs, it is found again.
    if (this.#all.has(followed)) void this.#options.checkpoints.put(toRecord(followed))
    return followed
  }

  add(followed: Followed): void {
    const { device, inode } = followed.identity
    this.#all.add(followed)
    if (followed.standing !== 'over') this.#byInode.set(`${device}:${inode}`, followed)
    if (followed.standing === 'live') this.#byPath.set(followed.path, followed)
    this.generations.keep(followed)
    followed.grewAtMs = this.#options.clock.monotonicMs() - busyMs
    this.#options.loads.backlog(followed.group, followed.sizeBytes - followed.sender.checkpoint)
    this.#options.shipping().add(followed)
    if (followed.standing === 'over') this.#options.reading().wake(followed)
    else this.look(followed)
  }

  /** The file, held open; undefined when it cannot be had, or another lies there now. */
  hold(followed: Followed): HeldFile | undefined {
    if (followed.file !== undefined || followed.standing === 'over' || followed.standing === 'cut') return followed.file
    if (HeldFile.open >= limits.openFilesMax) this.#parkLongestIdle()
    try {
      const file = HeldFile.openRegular(followed.at)
      this.unreadable.delete(followed.at)
      if (file === undefined) return undefined
      if (sameInode(followed.identity, whoIs(file.stat()))) followed.file = file
      else file.release()
    } catch (thrown) {
      // Summed up for people; tried again with the next look.
      if (codeOf(thrown) !== 'ENOENT') this.unreadable.add(followed.at)
    }
    return followed.file
  }

  /** The file was truncated: its bytes are another generation's. What was not read may lie in a copy beside it. */
  truncated(followed: Followed): void {
    const { log, counters } = this.#options
    const { file, path, at, identity } = followed
    if (followed.standing === 'over') return
    counters.add('truncations', 1)
    log.info('a file was truncated', {
      path,
      stream: followed.stream,
      read: followed.readOffset,
      size: followed.sizeBytes,
    })
    const stat = file === undefined ? regularFileAt(at) : file.stat()
    const wasLive = followed.standing === 'live'
    followed.file = undefined
    this.#byInode.delete(`${identity.device}:${identity.inode}`)
    if (this.#byPath.get(path) === followed) this.#byPath.delete(path)
    if (!this.#attachCopy(followed)) this.#over(followed, 'truncated before it could be read')
    // A rotated name that is written anew is a copy of something, or a new file: discovery tells.
    if (stat === undefined || !wasLive) file?.release()
    else {
      const next = this.begin({ path, at: path, stat, offset: 0, ...(file !== undefined && { file }) })
      this.#options.loads.appended(next.group, Number(stat.size))
    }
  }

  /** A collector holds other bytes under this id: everything again, under a new one. */
  diverged(followed: Followed): void {
    if (followed.standing === 'over') {
      this.losses.untold(followed)
      this.remove(followed)
      return
    }
    const file = this.hold(followed)
    const stat = file?.stat() ?? regularFileAt(followed.at)
    file?.retain()
    this.remove(followed)
    if (stat === undefined) return
    this.begin({ path: followed.path, at: followed.at, stat, offset: 0, ...(file !== undefined && { file }) })
  }

  remove(followed: Followed): void {
    const { device, inode } = followed.identity
    if (!this.#all.delete(followed)) return
    if (this.#byInode.get(`${device}:${inode}`) === followed) this.#byInode.delete(`${device}:${inode}`)
    if (this.#byPath.get(followed.path) === followed) this.#byPath.delete(followed.path)
    this.generations.forget(followed)
    this.#wheel.remove(followed)
    this.unreadable.delete(followed.at)
    followed.file?.release()
    followed.file = undefined
    this.#options.loads.backlog(followed.group, followed.sender.checkpoint - followed.sizeBytes)
    this.#options.shipping().remove(followed)
    this.#options.reading().forget(followed)
    this.#options.checkpoints.forget(followed.stream)
  }

  /** The checkpoint has advanced: is there anything left to do for it? */
  settle(followed: Followed): void {
    if (followed.standing !== 'over') return
    followed.sizeBytes = Math.max(followed.sizeBytes, followed.sender.checkpoint)
    if (isDone(followed)) this.remove(followed)
  }

  /** Its bytes cannot be had any more. What was not read may be a loss: the collector is asked, with a gap. */
  #over(followed: Followed, why: string): void {
    followed.file?.release()
    followed.file = undefined
    followed.standing = 'over'
    if (followed.sizeBytes > followed.readOffset) {
      this.losses.suspect(followed, why)
      this.#options.reading().wake(followed)
    }
    this.settle(followed)
  }

  #lookNow(followed: Followed): void {
    if (followed.standing === 'over') return
    const named = regularFileAt(followed.at)
    const here = named !== undefined && sameInode(followed.identity, whoIs(named))
    const own = followed.file?.stat() ?? (here ? named : undefined)
    if (own !== undefined && !this.#sizeUp(followed, own)) {
      this.truncated(followed)
      return
    }
    if (!here) this.#displaced(followed, own, named)
    this.#tryAgain(followed)
    this.#options.reading().wake(followed)
  }

  /** It could not be opened: as soon as it can, it is read, however long partial lines wait. */
  #tryAgain(followed: Followed): void {
    if (followed.partial?.bytes !== Infinity || followed.file !== undefined) return
    if (this.hold(followed) !== undefined) followed.partial = undefined
  }

  /** Takes note of growth. False when the file holds other bytes than those that were read. */
  #sizeUp(followed: Followed, own: BigIntStats): boolean {
    const sizeBytes = Number(own.size)
    if (sizeBytes < followed.sizeBytes) return false
    const first = followed.modifiedNs === 0n
    const touched = !first && own.mtimeNs !== followed.modifiedNs
    const grew = sizeBytes - followed.sizeBytes
    if ((grew > 0 || touched) && !this.#unchanged(followed)) return false
    followed.modifiedNs = own.mtimeNs
    if (grew === 0) return true
    if (!first) this.#options.loads.appended(followed.group, grew)
    this.#options.loads.backlog(followed.group, grew)
    followed.sizeBytes = sizeBytes
    if (!first || !this.#isOld(own)) followed.grewAtMs = this.#options.clock.monotonicMs()
    followed.idleLooks = 0
    return true
  }

  /** The head is what it was, and the bytes before the offset are. Lets the known head grow with the file. */
  #unchanged(followed: Followed): boolean {
    const { headBytes, headCrc } = followed.identity
    if (headBytes >= headBytesMax && followed.sizeBytes > followed.readOffset) return true // the next read compares
    const file = this.hold(followed)
    if (file === undefined) return true
    if (crc32(file.peek(headBytes, 0)) !== headCrc) return false
    if (headBytes < headBytesMax) followed.identity = { ...followed.identity, ...headOf(file) }
    if (followed.reading || followed.tail.length === 0) return true
    return tailBefore(file, followed.readOffset).subarray(-followed.tail.length).equals(followed.tail)
  }

  #isOld(stat: BigIntStats): boolean {
    return this.#options.clock.now() - Number(stat.mtimeMs) > busyMs
  }

  /** The name leads elsewhere, or nowhere: rotated, moved, or deleted. */
  #displaced(followed: Followed, own: BigIntStats | undefined, named: BigIntStats | undefined): void {
    const wasLive = followed.standing === 'live'
    const siblings = rotatedSiblings(followed.path)
    const moved = siblings.find(({ stat }) => sameInode(followed.identity, whoIs(stat)))
    if (wasLive && this.#byPath.get(followed.path) === followed) this.#byPath.delete(followed.path)
    if (moved !== undefined) {
      if (wasLive) this.#rotated(followed, moved.path)
      followed.at = moved.path
      followed.standing = 'rotated'
    } else if (own === undefined) this.#over(followed, 'deleted before it could be read')
    else if (own.nlink === 0n) this.#deleted(followed)
    else followed.standing = 'rotated'
    if (!wasLive) return
    this.generations.lookAfter(followed)
    if (named !== undefined) this.discover({ path: followed.path, stat: named })
  }

  #rotated(followed: Followed, to: string): void {
    this.#options.counters.add('rotations', 1)
    this.#options.log.info('a file was rotated', { path: followed.path, to, stream: followed.stream })
  }

  #deleted(followed: Followed): void {
    if (followed.standing !== 'deleted')
      this.#options.log.info('a file was deleted', { path: followed.path, stream: followed.stream })
    followed.standing = 'deleted'
    const quietMs = this.#options.clock.monotonicMs() - followed.grewAtMs
    if (isDone(followed) && quietMs >= deletedQuietMs) this.#over(followed, 'deleted')
  }

  #foundAgain(known: Followed, path: string): void {
    if (known.at === path) return
    const there = regularFileAt(known.at)
    if (there !== undefined && sameInode(known.identity, whoIs(there))) return // another name of the same file
    if (known.standing === 'live') this.#byPath.delete(known.path)
    known.at = path
    known.standing = known.path === path ? 'live' : 'rotated'
    if (known.standing === 'live') this.#byPath.set(path, known)
    this.look(known)
  }

  /** Goes on in the copy of a truncated file, where there is one. */
  #attachCopy(followed: Followed): boolean {
    const read = { offset: followed.readOffset, mark: { bytes: followed.tail.length, crc: crc32(followed.tail) } }
    for (const { path, stat } of rotatedSiblings(followed.path).reverse()) {
      const other = this.#byInode.get(inodeKey(stat))
      if (other !== undefined) this.look(other) // the copy may have been made over an older one, which ends with that
      if (this.#byInode.has(inodeKey(stat))) continue
      const file = openQuietly(path)
      if (file === undefined) continue
      if (judgeFile(followed.identity, read, file) !== 'moved') {
        file.release()
        continue
      }
      followed.file = file
      followed.at = path
      followed.identity = { ...followed.identity, ...whoIs(stat) }
      followed.standing = 'rotated'
      followed.sizeBytes = Math.max(followed.readOffset, Number(stat.size))
      this.#byInode.set(inodeKey(stat), followed)
      this.#copies.taken(path)
      this.#options.log.info('going on in the copy', { path: followed.path, lies: path, stream: followed.stream })
      this.look(followed)
      return true
    }
    return false
  }

  #next(followed: Followed): void {
    const nowMs = this.#options.clock.monotonicMs()
    const unread = followed.sizeBytes > followed.readOffset
    if (unread || nowMs - followed.grewAtMs < busyMs) {
      this.#wheel.schedule(followed, 1)
      return
    }
    followed.idleLooks += 1
    if (HeldFile.open > limits.openIdleMax) this.#park(followed)
    const ticks = Math.min(idleTicksMax, 4 * 1.5 ** followed.idleLooks)
    this.#wheel.schedule(followed, ticks * (0.75 + this.#options.random.float() / 4))
  }

  #park(followed: Followed): void {
    if (followed.file === undefined || followed.standing === 'deleted' || followed.reading) return
    if (followed.sizeBytes > followed.readOffset || regularFileAt(followed.at) === undefined) return
    followed.file.release()
    followed.file = undefined
  }

  #parkLongestIdle(): void {
    const open = [...this.#all].filter((followed) => followed.file !== undefined)
    open.sort((a, b) => a.grewAtMs - b.grewAtMs)
    for (const followed of open) {
      if (HeldFile.open < limits.openFilesMax) return
      this.#park(followed)
    }
  }
}
