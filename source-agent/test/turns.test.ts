import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { decodeFrame, seamCrc } from '@catchment/protocol'
import { tempDirectory, type TempDirectory } from '@catchment/testing'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { encode } from '../src/encode.ts'
import { beginFollowed, type Followed } from '../src/followed.ts'
import { HeldFile } from '../src/held-file.ts'
import { finish, prepare } from '../src/prepared-frame.ts'
import { dropDurable, takeTurn } from '../src/turns.ts'

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
function readWhole(): Followed {
  const begin = { stream, path: '/a.log', group: 'g', at: '/a.log', offset: 0, nowMs: 0 }
  const followed = beginFollowed(begin, { device: '1', inode: '2', bornNs: '0', headBytes: 0, headCrc: 0 }, file)
  const place = { from: 0, tail: followed.tail, partialLine: false, readAt: 1 }
  const { frame, tail } = prepare(text, place)
  return { ...followed, frames: [frame], tail, readOffset: text.length, sizeBytes: text.length }
}

function hold(followed: Followed): void {
  followed.sender = { ...followed.sender, checkpoint: held }
  dropDurable(followed, file)
}

function compress(followed: Followed): void {
  for (const frame of followed.frames) finish(frame, encode(text))
}

/** What leaves: where it starts, and its bytes. */
function leaving(followed: Followed): { start: number; raw: string } {
  const turn = { type: 'send', collector: 'A', declare: true, from: held, endMax: undefined } as const
  const taken = takeTurn(followed, turn, 'host', { rawBytesMax: 1e6, wireBytesMax: 1e6 })
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
    expect(followed.mark).toEqual(mark)
  })

  test('is sent the second half when the frame was being compressed as it became known', () => {
    const followed = readWhole()
    hold(followed)
    expect(followed.mark).toEqual(mark)
    compress(followed)
    expect(leaving(followed)).toEqual(rest)
  })
})
