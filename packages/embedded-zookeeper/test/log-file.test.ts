import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { tempDirectory, type TempDirectory } from '@catchment/testing'
import { encodeTransaction, type Transaction } from '../src/tree/changes.ts'
import { LogFile, readLog } from '../src/storage/log-file.ts'

const HEAD_BYTES = 16

let directory: TempDirectory
let path: string

beforeEach(async () => {
  directory = await tempDirectory()
  path = join(directory.path, 'log')
})

afterEach(async () => {
  await directory.remove()
})

const transactionOf = (zxid: bigint): Transaction => ({
  zxid,
  timeMs: 5,
  changes: [{ type: 'delete', path: `/${zxid}` }],
})

/** Writes transactions 1, 2, 3, … in batches; returns where each batch ends. */
async function written(batches: readonly number[]): Promise<number[]> {
  const log = await LogFile.create(path, 1n)
  const ends: number[] = []
  let zxid = 1n
  for (const size of batches) {
    await log.append(Array.from({ length: size }, () => encodeTransaction(transactionOf(zxid++))))
    ends.push(log.size)
  }
  await log.close()
  return ends
}

const zxids = async (): Promise<number[]> => (await readLog(path)).map(({ zxid }) => Number(zxid))

describe('a log file', () => {
  test('gives back what was appended, in order', async () => {
    await written([1, 3, 2])
    expect(await readLog(path)).toEqual([1n, 2n, 3n, 4n, 5n, 6n].map(transactionOf))
  })

  test('grows past what is preallocated', async () => {
    const log = await LogFile.create(path, 1n)
    const changes = [{ type: 'setData', path: '/a', data: Buffer.alloc(700_000, 7), version: 1 } as const]
    for (const zxid of [1n, 2n, 3n]) await log.append([encodeTransaction({ zxid, timeMs: 5, changes })])
    await log.close()
    expect(await zxids()).toEqual([1, 2, 3])
  })

  test('cut anywhere: the whole records before the cut are read, the torn one is not', async () => {
    const ends = await written([1, 1, 1, 1])
    const bytes = await readFile(path)
    const last = ends.at(-1) ?? 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: last }), fc.boolean(), async (cut, zeros) => {
        await writeFile(
          path,
          zeros ? Buffer.concat([bytes.subarray(0, cut), Buffer.alloc(500)]) : bytes.subarray(0, cut),
        )
        if (cut > 0 && cut < HEAD_BYTES) return // a head is synced before the first record can be
        expect(await zxids()).toEqual([1, 2, 3, 4].slice(0, ends.filter((end) => end <= cut).length))
      }),
    )
  })

  test('a torn batch, its later record whole and its first broken, is cut: it was never acknowledged', async () => {
    const [first = 0] = await written([1, 2])
    const bytes = await readFile(path)
    bytes[first + 20] = (bytes[first + 20] ?? 0) ^ 1
    await writeFile(path, bytes)
    expect(await zxids()).toEqual([1])
  })

  test('a broken record before an acknowledged one is damage, at whatever byte', async () => {
    const [first = 0, second = 0] = await written([1, 1, 1])
    const bytes = await readFile(path)
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: first, max: second - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, by) => {
          const broken = Buffer.from(bytes)
          broken[at] = (broken[at] ?? 0) ^ by
          await writeFile(path, broken)
          await expect(readLog(path)).rejects.toMatchObject({ code: 'zookeeper-damaged' })
        },
      ),
    )
  })

  test('torn at birth it is empty', async () => {
    await written([])
    await truncate(path, 0)
    expect(await zxids()).toEqual([])
  })
})
