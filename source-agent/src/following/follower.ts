// What happens to files. The reconcile loop is the truth: every followed file is looked at, the busy ones four times a
// second, the idle ones with growing pauses; hints of a watcher only make a look come sooner.

import type { BigIntStats } from 'node:fs'
import { crc32 } from 'node:zlib'
import { asError, type Clock, type Log, type Random } from '@catchment/runtime'
import type { CheckpointLog } from '../data/checkpoint-log.ts'
import { headBytesMax, sameInode } from '../decide/identity.ts'
import { judgeFile, openQuietly, regularFileAt, rotatedSiblings, whoIs, type FoundFile } from '../files/file-looks.ts'
import { headOf, tailBefore, type FollowedFile } from '../files/followed-file.ts'
import { HeldFile } from '../files/held-file.ts'
import type { OpenFiles } from '../files/open-files.ts'
import type { Counters } from '../metering/counters.ts'
import { limits } from '../metering/limits.ts'
import type { Loads } from '../metering/loads.ts'
import type { Reading } from '../reading/reading.ts'
import type { Losses } from '../shipping/losses.ts'
import type { Shipping } from '../shipping/shipping.ts'
import { beginStream, type FollowedStream } from '../streams/followed-stream.ts'
import type { MemoryBudget } from '../streams/memory-budget.ts'
import type { OutgoingStream } from '../streams/outgoing-stream.ts'
import { Copies } from './copies.ts'
import { Generations, type KnownGeneration } from './generations.ts'
import { StreamRegistry } from './stream-registry.ts'
import { TimingWheel } from './timing-wheel.ts'

export interface FollowerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly checkpoints: CheckpointLog
  readonly counters: Counters
  readonly loads: Loads
  readonly losses: Losses
  readonly memory: MemoryBudget
  readonly files: OpenFiles
  readonly shipping: Shipping
  readonly reading: Reading
  readonly groupOf: (path: string) => string
}

export const tickMs = 250
const busyMs = 10_000
const idleTicksMax = 40
/** A file without a name that nothing was written to for this long is over. */
const deletedQuietMs = 10_000

export class Follower {
  readonly #options: FollowerOptions
  readonly #wheel = new TimingWheel<FollowedStream>()
  readonly #streams = new StreamRegistry()
  readonly #copies: Copies
  readonly #generations: Generations

  constructor(options: FollowerOptions) {
    const { clock, log, counters } = options
    this.#options = options
    this.#copies = new Copies(clock, this.#streams)
    this.#generations = new Generations({ log, counters, streams: this.#streams })
    this.#generations.events.on('found', (path, found) => {
      this.#begin({ path, at: found.path, stat: found.stat, offset: 0 })
    })
  }

  get size(): number {
    return this.#streams.size
  }

  knowsPath(path: string): boolean {
    return this.#streams.ofPath(path) !== undefined
  }

  /** Files that were written within the last seconds, the latest first. */
  hotPaths(): string[] {
    const nowMs = this.#options.clock.monotonicMs()
    const hot = [...this.#streams.live].map(({ file }) => file).filter((file) => nowMs - file.grewAtMs < busyMs)
    return hot.sort((a, b) => b.grewAtMs - a.grewAtMs).map((file) => file.at)
  }

  /** One tick: looks at the files that are due. */
  tick(): void {
    for (const followed of this.#wheel.advance()) this.#look(followed)
    this.#generations.tick()
  }

  /** A hint: look at the file at `path` now. */
  hint(path: string): void {
    const followed = this.#streams.ofPath(path)
    if (followed !== undefined) this.#look(followed)
  }

  /** The checkpoint of the stream has advanced. */
  advanced(outgoing: OutgoingStream): void {
    const followed = this.#streams.ofId(outgoing.id)
    if (followed === undefined) return
    this.#options.reading.advanced(followed)
    this.#settle(followed)
  }

  /** The stream has a collector, or another one. */
  assigned(outgoing: OutgoingStream): void {
    const followed = this.#streams.ofId(outgoing.id)
    if (followed !== undefined) this.#options.reading.wake(followed)
  }

  /** `known` lies no longer at its path: follows what came after it. */
  lookForSuccessors(known: KnownGeneration): void {
    this.#generations.lookAfter(known)
  }

  #look(followed: FollowedStream): void {
    if (!this.#streams.has(followed)) return
    try {
      this.#lookNow(followed)
    } catch (thrown) {
      this.#options.log.warn('cannot look at a file', { path: followed.file.at, reason: asError(thrown).message })
    }
    if (this.#streams.has(followed)) this.#next(followed)
  }

  /** A path that matches and was not known. `from`: where to begin in a file that was never read. */
  discover(found: FoundFile, from: 'start' | 'end' = 'start', settled = true): void {
    const { path, stat } = found
    const known = this.#streams.ofInode(stat)
    if (known !== undefined && sameInode(known.file.identity, whoIs(stat))) {
      this.#foundAgain(known, path)
      return
    }
    if (this.#streams.size >= limits.streamsMax || (settled && this.#copies.mayBe(found))) return
    const before = this.#generations.newestOf(path)
    if (before !== undefined && before.state !== 'live') this.#generations.lookAfter(before)
    const offset = from === 'end' ? Number(stat.size) : 0
    const { file } = this.#begin({ path, at: path, stat, offset })
    if (settled) this.#options.loads.appended(file.group, Number(stat.size))
  }

  add(followed: FollowedStream): void {
    const { clock, loads, files, shipping, reading } = this.#options
    const { file, outgoing } = followed
    this.#streams.add(followed)
    files.add(file)
    this.#generations.keep(file)
    file.grew(clock.monotonicMs() - busyMs)
    loads.backlog(file.group, file.sizeBytes - outgoing.checkpoint)
    shipping.add(outgoing)
    if (file.state === 'over') reading.wake(followed)
    else this.#look(followed)
  }

  /** The file was truncated: its bytes are another generation's. What was not read may lie in a copy beside it. */
  truncated(followed: FollowedStream): void {
    const { log, counters, loads } = this.#options
    const { file } = followed
    const { path, at, stream } = file
    if (file.state === 'over') return
    counters.add('truncations', 1)
    log.info('a file was truncated', { path, stream, read: file.offset, size: file.sizeBytes })
    const wasLive = file.state === 'live'
    const held = file.giveUpHeld()
    const stat = held === undefined ? regularFileAt(at) : held.stat()
    this.#streams.removeInode(followed)
    this.#streams.removePath(followed)
    if (!this.#attachCopy(followed)) this.#over(followed, 'truncated before it could be read')
    // A rotated name that is written again is a copy of something, or a new file: discovery decides.
    if (stat === undefined || !wasLive) held?.release()
    else {
      const next = this.#begin({ path, at: path, stat, offset: 0, held })
      loads.appended(next.file.group, Number(stat.size))
    }
  }

  /** A collector holds other bytes under this id: everything again, under a new one. */
  diverged(outgoing: OutgoingStream): void {
    const followed = this.#streams.ofId(outgoing.id)
    if (followed === undefined) return
    const { files, losses } = this.#options
    const { file } = followed
    if (file.state === 'over') {
      losses.untraced(outgoing)
      this.#remove(followed)
      return
    }
    const held = files.hold(file)
    const stat = held?.stat() ?? regularFileAt(file.at)
    held?.retain()
    this.#remove(followed)
    if (stat !== undefined) this.#begin({ path: file.path, at: file.at, stat, offset: 0, held })
  }

  /** A new generation of `path`, lying at `at`. */
  #begin(of: {
    path: string
    at: string
    stat: BigIntStats
    offset: number
    held?: HeldFile | undefined
  }): FollowedStream {
    const { path, at, stat, offset, held } = of
    const { random, groupOf, clock, counters, log, checkpoints, memory } = this.#options
    const stream = Buffer.from(random.bytes(16)).toString('hex')
    const identity = { ...whoIs(stat), headBytes: 0, headCrc: 0 }
    const place = { stream, path, group: groupOf(path), at, offset, nowMs: clock.monotonicMs() }
    const followed = beginStream({ ...place, identity, held }, memory)
    counters.add('generations', 1)
    log.debug('a new generation', { path, lies: at, stream })
    this.add(followed)
    // Known from now on: rotated while no agent runs, it is found again.
    if (this.#streams.has(followed)) void checkpoints.put(followed.outgoing.record())
    return followed
  }

  #remove(followed: FollowedStream): void {
    const { loads, files, shipping, reading, checkpoints } = this.#options
    const { file, outgoing } = followed
    if (!this.#streams.remove(followed)) return
    this.#generations.forget(file)
    this.#wheel.remove(followed)
    files.remove(file)
    loads.backlog(file.group, outgoing.checkpoint - file.sizeBytes)
    shipping.remove(outgoing)
    reading.forget(followed)
    checkpoints.forget(file.stream)
  }

  /** Is there anything left to do for it? */
  #settle(followed: FollowedStream): void {
    const { file, outgoing } = followed
    if (file.state !== 'over') return
    file.holdsAtLeast(outgoing.checkpoint)
    if (outgoing.done) this.#remove(followed)
  }

  /** Its bytes cannot be had any more. What was not read may be a loss: the collector is asked, with a gap. */
  #over(followed: FollowedStream, why: string): void {
    const { losses, reading } = this.#options
    const { file } = followed
    file.over()
    if (file.unreadBytes > 0) {
      losses.suspect(followed, why)
      reading.wake(followed)
    }
    this.#settle(followed)
  }

  #lookNow(followed: FollowedStream): void {
    const { file } = followed
    if (file.state === 'over') return
    const named = regularFileAt(file.at)
    const here = named !== undefined && sameInode(file.identity, whoIs(named))
    const own = file.held?.stat() ?? (here ? named : undefined)
    if (own !== undefined && !this.#sizeUp(file, own)) {
      this.truncated(followed)
      return
    }
    if (!here) this.#displaced(followed, own, named)
    this.#tryAgain(file)
    this.#options.reading.wake(followed)
  }

  /** It could not be opened: as soon as it can, it is read, however long partial lines wait. */
  #tryAgain(file: FollowedFile): void {
    if (file.rest?.bytes !== Infinity || file.held !== undefined) return
    if (this.#options.files.hold(file) !== undefined) file.waitsNoLonger()
  }

  /** Takes note of growth. False when the file holds other bytes than those that were read. */
  #sizeUp(file: FollowedFile, own: BigIntStats): boolean {
    const { loads, clock } = this.#options
    const sizeBytes = Number(own.size)
    if (sizeBytes < file.sizeBytes) return false
    const first = file.modifiedNs === 0n
    const touched = !first && own.mtimeNs !== file.modifiedNs
    const grew = sizeBytes - file.sizeBytes
    if ((grew > 0 || touched) && !this.#unchanged(file)) return false
    file.modified(own.mtimeNs)
    if (grew === 0) return true
    if (!first) loads.appended(file.group, grew)
    loads.backlog(file.group, grew)
    file.holdsAtLeast(sizeBytes)
    if (!first || !this.#isOld(own)) file.grew(clock.monotonicMs())
    file.noLongerIdle()
    return true
  }

  /** The head is what it was, and the bytes before the offset are. Lets the known head grow with the file. */
  #unchanged(file: FollowedFile): boolean {
    const { headBytes, headCrc } = file.identity
    const { offset, tail } = file.position
    if (headBytes >= headBytesMax && file.unreadBytes > 0) return true // the next read compares
    const held = this.#options.files.hold(file)
    if (held === undefined) return true
    if (crc32(held.peek(headBytes, 0)) !== headCrc) return false
    if (headBytes < headBytesMax) file.identifiedBy(headOf(held))
    if (file.reading || tail.length === 0) return true
    return tailBefore(held, offset).subarray(-tail.length).equals(tail)
  }

  #isOld(stat: BigIntStats): boolean {
    return this.#options.clock.now() - Number(stat.mtimeMs) > busyMs
  }

  /** The name leads elsewhere, or nowhere: rotated, moved, or deleted. */
  #displaced(followed: FollowedStream, own: BigIntStats | undefined, named: BigIntStats | undefined): void {
    const { file } = followed
    const wasLive = file.state === 'live'
    const siblings = rotatedSiblings(file.path)
    const moved = siblings.find(({ stat }) => sameInode(file.identity, whoIs(stat)))
    if (wasLive) this.#streams.removePath(followed)
    if (moved !== undefined) {
      if (wasLive) this.#rotated(file, moved.path)
      file.movedTo(moved.path)
    } else if (own === undefined) this.#over(followed, 'deleted before it could be read')
    else if (own.nlink === 0n) this.#deleted(followed)
    else file.movedAway()
    if (!wasLive) return
    this.#generations.lookAfter(file)
    if (named !== undefined) this.discover({ path: file.path, stat: named })
  }

  #rotated({ path, stream }: FollowedFile, to: string): void {
    this.#options.counters.add('rotations', 1)
    this.#options.log.info('a file was rotated', { path, to, stream })
  }

  #deleted(followed: FollowedStream): void {
    const { file, outgoing } = followed
    const { log, clock } = this.#options
    if (file.state !== 'deleted') log.info('a file was deleted', { path: file.path, stream: file.stream })
    file.deleted()
    const quietMs = clock.monotonicMs() - file.grewAtMs
    if (outgoing.done && quietMs >= deletedQuietMs) this.#over(followed, 'deleted')
  }

  #foundAgain(known: FollowedStream, path: string): void {
    const { file } = known
    if (file.at === path) return
    const there = regularFileAt(file.at)
    if (there !== undefined && sameInode(file.identity, whoIs(there))) return // another name of the same file
    if (file.state === 'live') this.#streams.removePath(known)
    file.movedTo(path)
    if (file.state === 'live') this.#streams.addPath(known)
    this.#look(known)
  }

  /** Goes on in the copy of a truncated file, where there is one. */
  #attachCopy(followed: FollowedStream): boolean {
    const { file } = followed
    const { offset, tail } = file.position
    const read = { offset, mark: { bytes: tail.length, crc: crc32(tail) } }
    for (const { path, stat } of rotatedSiblings(file.path).reverse()) {
      const other = this.#streams.ofInode(stat)
      if (other !== undefined) this.#look(other) // the copy may have been made over an older one, which ends with that
      if (this.#streams.ofInode(stat) !== undefined) continue
      const held = openQuietly(path)
      if (held === undefined) continue
      if (judgeFile(file.identity, read, held) !== 'moved') {
        held.release()
        continue
      }
      const identity = { ...file.identity, ...whoIs(stat) }
      file.continueIn({ at: path, held, identity, sizeBytes: Number(stat.size) })
      this.#streams.addInode(followed)
      this.#copies.taken(path)
      this.#options.log.info('going on in the copy', { path: file.path, lies: path, stream: file.stream })
      this.#look(followed)
      return true
    }
    return false
  }

  #next(followed: FollowedStream): void {
    const { clock, random, files } = this.#options
    const { file } = followed
    if (file.unreadBytes > 0 || clock.monotonicMs() - file.grewAtMs < busyMs) {
      this.#wheel.schedule(followed, 1)
      return
    }
    file.lookedIdle()
    if (HeldFile.open > limits.openIdleMax) files.park(file)
    const ticks = Math.min(idleTicksMax, 4 * 1.5 ** file.idleLooks)
    this.#wheel.schedule(followed, ticks * (0.75 + random.float() / 4))
  }
}
