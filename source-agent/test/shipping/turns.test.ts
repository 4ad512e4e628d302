import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { decodeFrame, seamCrc } from '@catchment/protocol'
import { tempDirectory, type TempDirectory } from '@catchment/testing'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { encode } from '../../src/reading/encode.ts'
import { beginStream, type FollowedStream } from '../../src/streams/followed-stream.ts'
import { MemoryBudget } from '../../src/streams/memory-budget.ts'
import { HeldFile } from '../../src/files/held-file.ts'
import { prepare } from '../../src/streams/prepared-frame.ts'
import { takeBatch } from '../../src/shipping/stream-batch.ts'

const stream = '0123456789abcdef0123456789abcdef'
const text = Buffer.from(Array.from({ length: 100 }, (_, line) => `line ${String(line)}\n`).join(''))
const held = text.indexOf('line 40\n')

let directory: TempDirectory
let file: HeldFile
beforeEach(async () => {
  directory = await tempDirectory()
  const path = join(directory.path, 'a.log')
  writeFileSync(path, text)
  const opened = HeldFile.openRegular(path)
  if (opened === undefined) throw new Error(`${path} is a regular file`)
  file = opened
})
afterEach(async () => {
  file.release()
  await directory.remove()
})

/** One frame of all of the file, and a collector that turns out to hold the first `held` bytes. */
function readWhole(): FollowedStream {
  const identity = { device: '1', inode: '2', bornNs: '0', headBytes: 0, headCrc: 0 }
  const start = { stream, path: '/a.log', group: 'g', at: '/a.log', offset: 0, nowMs: 0, identity, held: file }
  const followed = beginStream(start, new MemoryBudget())
  const place = { from: 0, tail: followed.file.position.tail, partialLine: false, readAt: 1 }
  const { frame, tail } = prepare(text, place)
  followed.outgoing.queue.push(frame)
  followed.file.readTo({ offset: text.length, tail, inHole: false })
  followed.file.holdsAtLeast(text.length)
  return followed
}

function hold({ outgoing }: FollowedStream): void {
  outgoing.decided({ ...outgoing.sender, checkpoint: held })
  outgoing.dropDurable(file)
}

function compress({ outgoing }: FollowedStream): void {
  for (const frame of outgoing.queue.frames) outgoing.queue.finish(frame, encode(text))
}

/** What leaves: where it starts, and its bytes. */
function leaving({ outgoing }: FollowedStream): { start: number; raw: string } {
  const next = { type: 'send', collector: 'A', declare: true, from: held, endMax: undefined } as const
  const taken = takeBatch(outgoing, next, 'host', { rawBytesMax: 1e6, wireBytesMax: 1e6 })
  const bytes = Buffer.concat(taken?.parts ?? [])
  const { header, payloadOffset, end } = decodeFrame(bytes, 0)
  const payload = bytes.subarray(payloadOffset, end)
  const raw = header.codec === 'zstd' ? zstdDecompressSync(payload) : payload
  return { start: header.start, raw: raw.toString() }
}

describe('a collector that holds the first half of a frame', () => {
  const rest = { start: held, raw: text.subarray(held).toString() }
  const mark = { bytes: 64, crc: seamCrc(text.subarray(held - 64, held)) }

  test('is sent the second half', () => {
    const followed = readWhole()
    compress(followed)
    hold(followed)
    expect(leaving(followed)).toEqual(rest)
    expect(followed.outgoing.mark).toEqual(mark)
  })

  test('is sent the second half when the frame was being compressed as it became known', () => {
    const followed = readWhole()
    hold(followed)
    expect(followed.outgoing.mark).toEqual(mark)
    compress(followed)
    expect(leaving(followed)).toEqual(rest)
  })
})
