// `<file>.missing`: the ranges of a mirrored stream that are not there yet; JSON lines {from, to}. `<file>.gaps`: those
// that will never be, and why. Several collectors, each a process of its own, may write one mirror on one machine, because
// streams move between them; each knows only what it delivered itself.
//
// Protocol. A writer of a range that begins past the file's end first *announces* the hole, under the lock: it creates
// `.missing` if it is not there, then reads the file's size and `.gaps`, then writes into `.missing` what lies between the
// size and the range, less the gaps; only then it writes its bytes, without the lock. Every writer, after it has written
// (or noted a gap), *looks*: if `.missing` exists, it takes the lock and subtracts all that it has delivered of the stream
// since it opened the file. Its cursor moves only after the look.
//
// Why `.missing` ends as the exact complement. Let byte x be announced by B although A writes it.
//  - A's write was before B's read of the size: then the size was past x, and x was not announced. Contradiction.
//  - A's write was after it: then A's look is later still, and `.missing` existed from before the size was read; it can
//    have gone only by becoming empty, and x can have left it only by being subtracted. So A finds x and subtracts it.
//    If A dies between its write and its look, its cursor stands before x: it delivers x again, and looks again.
//  - Nothing removes x before it is written: only a look removes, and only what its own process has written.
//  - Two announcers: the second reads the size under the lock after the first has left it. The first's bytes, if they are
//    not written yet, may be announced by the second; the first's look, which follows its write, subtracts them.
// Gaps extend no file, so the size does not speak for them: therefore they are noted in `.gaps` before the look, and
// announcers read `.gaps` after `.missing` exists; the same two cases hold for them.
// The lock is one file in the mirror's root: holes are rare, and a crash leaves no stale lock.

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { parseJson, type ByteRange } from '@catchment/protocol'
import { codeOf, withFileLock } from '@catchment/runtime'
import { subtracted, united } from '../../decide/intervals.ts'

/** The wait blocks the event loop: less than what heartbeats bear. Past it delivery starts over and tries again. */
const lockTimeoutMs = 1000
const lineSchema = z.object({ from: z.number().int().nonnegative(), to: z.number().int().nonnegative() })

/** Runs `work` while no other collector changes `.missing` or `.gaps` of this mirror. Throws CatchmentError `in-use`. */
export function withMirrorLock<T>(root: string, work: () => T): T {
  return withFileLock(join(root, '.catchment-lock'), lockTimeoutMs, work)
}

/** Under the lock: what lies between the file's end and `upTo`, and is not delivered by the caller, is missing. */
export function announceHole(path: string, upTo: number, delivered: readonly ByteRange[]): void {
  const missingPath = `${path}.missing`
  closeSync(openFile(missingPath, constants.O_WRONLY | constants.O_CREAT))
  const before = readLines(missingPath)
  const size = bytesOf(path)
  let hole: ByteRange[] = size < upTo ? [{ from: size, to: upTo }] : []
  for (const range of [...delivered, ...readLines(`${path}.gaps`)]) hole = subtracted(hole, range)
  writeMissing(
    missingPath,
    hole.reduce((ranges, range) => united(ranges, range), before),
  )
}

export function isMissingAnything(path: string): boolean {
  return existsSync(`${path}.missing`)
}

/** Under the lock: what was delivered is not missing any more. */
export function subtractDelivered(path: string, delivered: readonly ByteRange[]): void {
  const missingPath = `${path}.missing`
  let missing = readLines(missingPath)
  for (const range of delivered) missing = subtracted(missing, range)
  writeMissing(missingPath, missing)
}

/** Under the lock: notes a gap durably; once, however often it is delivered. */
export function noteGap(path: string, gap: ByteRange & { readonly reason: string }): void {
  const gapsPath = `${path}.gaps`
  if (readLines(gapsPath).some(({ from, to }) => from === gap.from && to === gap.to)) return
  const file = openFile(gapsPath, constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND)
  try {
    writeAll(file, `${JSON.stringify({ from: gap.from, to: gap.to, reason: gap.reason })}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncDirectory(dirname(path))
}

/** A line that is torn or damaged is as if it were not there. */
function readLines(path: string): ByteRange[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return []
    throw thrown
  }
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [parseJson(lineSchema, line, path)]
    } catch {
      return []
    }
  })
}

/** Replaces `.missing` durably, or removes it when nothing is missing; with the temporary file of a writer that died here. */
function writeMissing(path: string, ranges: readonly ByteRange[]): void {
  const temporary = `${path}.tmp`
  rmSync(temporary, { force: true })
  if (ranges.length === 0) rmSync(path, { force: true })
  else {
    const file = openFile(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL)
    try {
      writeAll(file, ranges.map(({ from, to }) => `${JSON.stringify({ from, to })}\n`).join(''))
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  }
  syncDirectory(dirname(path))
}

function openFile(path: string, flags: number): number {
  return openSync(path, flags | constants.O_NOFOLLOW, 0o600)
}

function bytesOf(path: string): number {
  const file = openFile(path, constants.O_RDONLY)
  try {
    return fstatSync(file).size
  } finally {
    closeSync(file)
  }
}

function writeAll(file: number, text: string): void {
  let rest = Buffer.from(text)
  while (rest.length > 0) rest = rest.subarray(writeSync(file, rest))
}

function syncDirectory(path: string): void {
  const directory = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
