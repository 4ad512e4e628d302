// The file's side of a stream: where the file lies, what it is known to hold, and how far it was read. All parts may
// read it; it changes by these methods alone, which ensure that the size never falls below what was read, that the offset never
// goes back, and that a state follows only from one that allows it.

import { crc32 } from 'node:zlib'
import { seamBytes } from '@catchment/protocol'
import { nextFileState, type FileState } from '../decide/file-state.ts'
import { headBytesMax, type FileIdentity } from '../decide/identity.ts'
import type { HeldFile } from './held-file.ts'

/** How far a file was read. */
export interface ReadPosition {
  readonly offset: number
  /** The at most 64 bytes before the offset, none after a gap. */
  readonly tail: Buffer
  /** Only a hole (a run of NULs at the start) was read so far. */
  readonly inHole: boolean
}

/** What waits at the end of a file: a last line without its newline, or all of it while the file cannot be read. */
export interface WaitingRest {
  /** How many bytes wait; Infinity where the file cannot be read. */
  readonly bytes: number
  readonly sinceMs: number
}

export interface FollowedFileStart {
  readonly stream: string
  /** The path that is followed: what frames are named after. */
  readonly path: string
  readonly group: string
  /** Where the file lies. */
  readonly at: string
  readonly identity: FileIdentity
  readonly held: HeldFile | undefined
  readonly offset: number
  readonly tail: Buffer
  readonly sizeBytes: number
  readonly nowMs: number
}

export class FollowedFile {
  readonly stream: string
  readonly path: string
  readonly group: string
  #at: string
  #state: FileState
  #identity: FileIdentity
  #held: HeldFile | undefined
  #sizeBytes: number
  #modifiedNs = 0n
  #grewAtMs: number
  #idleLooks = 0
  #position: ReadPosition
  #reading = false
  #rest: WaitingRest | undefined
  #lostTo: number | undefined

  constructor(start: FollowedFileStart) {
    this.stream = start.stream
    this.path = start.path
    this.group = start.group
    this.#at = start.at
    this.#state = start.at === start.path ? 'live' : 'rotated'
    this.#identity = start.identity
    this.#held = start.held
    this.#sizeBytes = start.sizeBytes
    this.#grewAtMs = start.nowMs
    this.#position = { offset: start.offset, tail: start.tail, inHole: false }
  }

  /** Where the file lies now. */
  get at(): string {
    return this.#at
  }

  get state(): FileState {
    return this.#state
  }

  get identity(): FileIdentity {
    return this.#identity
  }

  /** The open file; undefined while it is parked, and when it is over. */
  get held(): HeldFile | undefined {
    return this.#held
  }

  /** What the file is known to hold. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  get modifiedNs(): bigint {
    return this.#modifiedNs
  }

  get grewAtMs(): number {
    return this.#grewAtMs
  }

  /** Looks in a row that found nothing new. */
  get idleLooks(): number {
    return this.#idleLooks
  }

  get position(): ReadPosition {
    return this.#position
  }

  get offset(): number {
    return this.#position.offset
  }

  get unreadBytes(): number {
    return this.#sizeBytes - this.#position.offset
  }

  /** A block of it is being read. */
  get reading(): boolean {
    return this.#reading
  }

  get rest(): WaitingRest | undefined {
    return this.#rest
  }

  /** The end of what cannot be read any more: from the offset to there a gap is shipped. */
  get lostTo(): number | undefined {
    return this.#lostTo
  }

  hold(held: HeldFile): void {
    this.#held = held
  }

  /** Closes the file, unless something is still reading it: then when that ends. */
  letGo(): void {
    this.#held?.release()
    this.#held = undefined
  }

  /** Hands the open file on to the caller, who releases it. */
  giveUpHeld(): HeldFile | undefined {
    const held = this.#held
    this.#held = undefined
    return held
  }

  movedTo(at: string): void {
    this.#become(at === this.path ? 'live' : 'rotated')
    this.#at = at
  }

  /** It has a name still, but no longer where it was, and the new one is not known. */
  movedAway(): void {
    this.#become('rotated')
  }

  deleted(): void {
    this.#become('deleted')
  }

  /** Its bytes cannot be had any more. */
  over(): void {
    this.letGo()
    this.#become('over')
  }

  /** It was truncated, and its bytes go on in a copy. */
  continueIn(copy: { at: string; held: HeldFile; identity: FileIdentity; sizeBytes: number }): void {
    this.#become('rotated')
    this.#at = copy.at
    this.#held = copy.held
    this.#identity = copy.identity
    this.#sizeBytes = Math.max(this.offset, copy.sizeBytes)
  }

  /** Its head is known further than before. */
  identifiedBy(head: Pick<FileIdentity, 'headBytes' | 'headCrc'>): void {
    this.#identity = { ...this.#identity, ...head }
  }

  modified(modifiedNs: bigint): void {
    this.#modifiedNs = modifiedNs
  }

  /** A look, a read or a collector has shown that it holds at least `sizeBytes`. */
  holdsAtLeast(sizeBytes: number): void {
    this.#sizeBytes = Math.max(this.#sizeBytes, sizeBytes)
  }

  grew(atMs: number): void {
    this.#grewAtMs = atMs
  }

  lookedIdle(): void {
    this.#idleLooks += 1
  }

  noLongerIdle(): void {
    this.#idleLooks = 0
  }

  beginRead(): void {
    this.#reading = true
  }

  endRead(): void {
    this.#reading = false
  }

  readTo(position: ReadPosition): void {
    if (position.offset < this.offset) throw new Error(`${this.path}: the offset ${this.offset} never goes back`)
    this.#position = position
    this.#rest = undefined
  }

  waitsWith(rest: WaitingRest): void {
    this.#rest = rest
  }

  waitsNoLonger(): void {
    this.#rest = undefined
  }

  /** What was not read cannot be read any more. */
  loseRest(): void {
    this.#lostTo = this.#sizeBytes
  }

  #become(state: FileState): void {
    this.#state = nextFileState(this.#state, state)
  }
}

/** Which bytes at the head identify the file. */
export function headOf(file: HeldFile, bytes = headBytesMax): { headBytes: number; headCrc: number } {
  const head = file.peek(bytes, 0)
  return { headBytes: head.length, headCrc: crc32(head) }
}

export function tailBefore(file: HeldFile, offset: number): Buffer {
  const bytes = Math.min(seamBytes, offset)
  return file.peek(bytes, offset - bytes)
}
