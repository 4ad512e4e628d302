import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { realRandom } from '@catchment/runtime'
import { openDataDirectory } from '../../src/segments/data-directory.ts'
import { temporary } from '../kit.ts'

const fixture = join(import.meta.dirname, '../fixtures/data-directory-1')

let folder: Awaited<ReturnType<typeof temporary>>
let data: string

beforeEach(async () => {
  folder = await temporary()
  data = join(folder.path, 'data')
  await cp(fixture, data, { recursive: true })
})
afterEach(() => folder.remove())

/** Every file but the lock's, which are of this process. */
async function contents(): Promise<Record<string, string>> {
  const entries = await readdir(data, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const kept = paths.filter((path) => !path.startsWith(join(data, 'lock'))).toSorted()
  return Object.fromEntries(await Promise.all(kept.map(async (path) => [path, await readFile(path, 'hex')] as const)))
}

function snapshot(json: string): string {
  return `${crc32(json).toString(16).padStart(8, '0')}\n${json}\n`
}

async function newerSegment(): Promise<Buffer> {
  const bytes = await readFile(join(data, 'segments/segment-000000000004'))
  bytes.writeUInt8(2, 4)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

describe('openDataDirectory', () => {
  test.each([
    ['identity.json', () => '{"version":2,"who":"another shape"}'],
    ['cursor.json', () => '{"version":2}'],
    ['cursors/mirror.json', () => '{"version":2,"segment":7,"offset":192}'],
    ['ranges.json', () => snapshot('{"version":2,"upTo":6,"streams":{}}')],
    ['assignment.json', () => '{"version":2}'],
    ['segments/segment-000000000004', newerSegment],
  ])('%s of a newer version is refused in words, and nothing is touched', async (name, make) => {
    await mkdir(join(data, 'cursors'))
    await writeFile(join(data, name), await make())
    const before = await contents()
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const opening = openDataDirectory(data, 'a test', realRandom)
      await expect(opening).rejects.toMatchObject({ code: 'newer-format', blame: 'operator' })
      await expect(opening).rejects.toThrow(
        `cannot use ${join(data, name)}: its format is version 2, and this program reads versions up to 1. ` +
          'Nothing was changed; start the newer program that wrote it, or use another --data directory',
      )
    }
    expect(await contents()).toEqual(before)
  })

  test('what is damaged is not taken for newer', async () => {
    await writeFile(join(data, 'ranges.json'), '00000000\n{"version":2}\n')
    await writeFile(join(data, 'assignment.json'), '{"version":2')
    const segment = await newerSegment()
    segment.writeUInt8(3, 4)
    await writeFile(join(data, 'segments/segment-000000000004'), segment)
    const directory = await openDataDirectory(data, 'a test', realRandom)
    expect(directory.starts).toBe(3)
    directory.lock.release()
  })
})
