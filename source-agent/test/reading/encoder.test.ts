import { randomBytes } from 'node:crypto'
import { crc32, zstdDecompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Encoder } from '../../src/reading/encoder.ts'

let encoder: Encoder

beforeEach(() => {
  encoder = new Encoder()
})

afterEach(async () => {
  await encoder.close()
})

function inSharedMemory(bytes: Buffer): Buffer {
  const memory = Encoder.memory(bytes.length + 64)
  bytes.copy(memory, 64)
  return memory.subarray(64)
}

const text = (lines: number): Buffer => Buffer.from('a line of a log, and another word\n'.repeat(lines))

describe('Encoder', () => {
  test('large blocks, small ones and those that do not compress: payload, lines and checksum are those of the bytes', async () => {
    const blocks = [text(20_000), text(3), randomBytes(300_000), Buffer.from('x\n'), text(30_000), text(5000)]
    const encoded = await Promise.all(blocks.map((block) => encoder.encode(inSharedMemory(block))))
    for (const [index, { codec, payload, lines, rawCrc }] of encoded.entries()) {
      const block = blocks[index] ?? Buffer.alloc(0)
      const raw = codec === 'zstd' ? zstdDecompressSync(payload) : Buffer.from(payload)
      expect(raw.equals(block)).toBe(true)
      expect({ lines, rawCrc }).toEqual({ lines: block.filter((byte) => byte === 10).length, rawCrc: crc32(block) })
      expect(payload.buffer.byteLength).toBe(payload.length)
    }
    expect(encoded.map(({ codec }) => codec)).toEqual(['zstd', 'none', 'none', 'none', 'zstd', 'zstd'])
  })

  test('what a thread that ends leaves unanswered is done all the same', async () => {
    const block = inSharedMemory(text(20_000))
    const asked = [encoder.encode(block), encoder.encode(block), encoder.encode(block)]
    await encoder.close()
    const [first, ...others] = await Promise.all([...asked, encoder.encode(block)])
    for (const other of others) expect(other).toEqual(first)
  })
})
