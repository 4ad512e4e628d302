// What the tests believe: the mirrors against the files that were written, and the segments against both.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readStoredFrames } from '../../../collector/src/segments/segment-reader.ts'

export interface MirrorFile {
  readonly path: string
  readonly stream: string
  readonly bytes: number
  readonly hash: string
}

/** All mirrored streams below `directory`, and the sidecar files (`.missing`, `.gaps`) that still stand. */
export function readMirrors(directory: string): { mirrors: MirrorFile[]; sidecars: string[] } {
  const mirrors: MirrorFile[] = []
  const sidecars: string[] = []
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const stream = /~([0-9a-f]{32})$/.exec(entry.name)?.[1]
    if (!entry.isFile() || entry.name.startsWith('.')) continue
    if (stream === undefined) sidecars.push(path)
    else mirrors.push({ path, stream, ...hashed(path) })
  }
  return { mirrors, sidecars }
}

/**
 * Every generation has exactly one mirror with its very bytes, and there is no other mirror.
 * Returns the stream of each generation.
 */
export function matchGenerations(
  generations: readonly string[],
  mirrors: readonly MirrorFile[],
): Map<string, MirrorFile> {
  const matched = new Map<string, MirrorFile>()
  const left = new Set(mirrors.filter((mirror) => mirror.bytes > 0))
  for (const generation of generations) {
    const truth = hashed(generation)
    if (truth.bytes === 0) continue
    const mirror = [...left].find((candidate) => candidate.hash === truth.hash && candidate.bytes === truth.bytes)
    if (mirror === undefined)
      throw new Error(`no mirror equals ${generation} (${truth.bytes} bytes); ${describe([...left])}`)
    left.delete(mirror)
    matched.set(generation, mirror)
  }
  if (left.size > 0) throw new Error(`mirrors of nothing that was written: ${describe([...left])}`)
  return matched
}

export interface StoredBytes {
  /** Raw bytes over all collectors. */
  readonly stored: number
  /** Raw bytes that more than one collector holds. */
  readonly doubled: number
}

/**
 * The segments of all collectors, read as they lie on disk: within a collector no byte of a stream stands twice, and the
 * union over the collectors is the whole file.
 */
export async function checkSegments(
  dataDirectories: readonly string[],
  matched: ReadonlyMap<string, MirrorFile>,
): Promise<StoredBytes> {
  const unions = new Map<string, StoredRange[]>()
  let stored = 0
  for (const directory of dataDirectories) {
    const own = Map.groupBy(await storedRanges(directory), (frame) => frame.stream)
    for (const [stream, frames] of own) {
      refuseOverlap(frames, `${directory}, stream ${stream}`)
      stored += sum(frames)
      unions.set(stream, [...(unions.get(stream) ?? []), ...frames])
    }
  }
  let union = 0
  for (const [generation, mirror] of matched) {
    const covered = coverage(unions.get(mirror.stream) ?? [], generation)
    if (covered !== mirror.bytes)
      throw new Error(`the segments hold ${covered} of the ${mirror.bytes} bytes of ${generation}`)
    union += covered
  }
  return { stored, doubled: stored - union }
}

interface StoredRange {
  readonly stream: string
  readonly start: number
  readonly end: number
}

async function storedRanges(directory: string): Promise<StoredRange[]> {
  const ranges: StoredRange[] = []
  for await (const { stream, start, end } of readStoredFrames(directory)) ranges.push({ stream, start, end })
  return ranges
}

function refuseOverlap(frames: readonly StoredRange[], where: string): void {
  let end = 0
  for (const frame of frames.toSorted((a, b) => a.start - b.start)) {
    if (frame.start < end)
      throw new Error(`bytes stored twice in ${where}: [${frame.start}, ${frame.end}) begins before ${end}`)
    end = frame.end
  }
}

/** How far the frames cover the stream from 0 on without a hole. */
function coverage(frames: readonly StoredRange[], generation: string): number {
  let end = 0
  for (const frame of frames.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (frame.start > end) throw new Error(`the segments lack [${end}, ${frame.start}) of ${generation}`)
    end = Math.max(end, frame.end)
  }
  return end
}

function sum(frames: readonly StoredRange[]): number {
  return frames.reduce((total, frame) => total + frame.end - frame.start, 0)
}

function hashed(path: string): { bytes: number; hash: string } {
  return { bytes: statSync(path).size, hash: createHash('sha256').update(readFileSync(path)).digest('hex') }
}

function describe(mirrors: readonly MirrorFile[]): string {
  return `left: ${mirrors.map((mirror) => `${mirror.path} (${mirror.bytes})`).join(', ') || 'none'}`
}

/** The bytes of all mirrors so far and how many sidecar files stand, from names and sizes alone. */
export function mirroredBytes(directory: string): { bytes: number; sidecars: number } {
  let [bytes, sidecars] = [0, 0]
  if (!existsSync(directory)) return { bytes, sidecars }
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || entry.name.startsWith('.')) continue
    if (/~[0-9a-f]{32}$/.test(entry.name)) bytes += statSync(join(entry.parentPath, entry.name)).size
    else sidecars += 1
  }
  return { bytes, sidecars }
}
