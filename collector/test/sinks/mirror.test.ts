import { lstat, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decodeFrame, type ByteRange } from '@catchment/protocol'
import type { ExpandedFrame } from '../../src/delivery/sink.ts'
import { Mirror } from '../../src/sinks/mirror/mirror.ts'
import { mirrorPlace } from '../../src/sinks/mirror/mirror-paths.ts'
import { frame, place, streamA, streamBytes, temporary } from '../kit.ts'

let folder: Awaited<ReturnType<typeof temporary>>

beforeEach(async () => {
  folder = await temporary()
})
afterEach(() => folder.remove())

function delivery({ from, to }: ByteRange, gap?: string): ExpandedFrame {
  const { header } = decodeFrame(frame({ from, to, newRange: true, ...(gap !== undefined && { gap }) }), 0)
  return gap === undefined
    ? { kind: 'bytes', header, raw: streamBytes(streamA, from, to) }
    : { kind: 'gap', header, reason: gap }
}

const file = (): string => join(folder.path, place(streamA))

describe('Mirror', () => {
  test('a hole is listed while it lasts; gaps stay holes and are listed apart', async () => {
    const mirror = await Mirror.open(folder.path)
    await mirror.write([delivery({ from: 50, to: 80 })])
    await mirror.flush()
    expect(await readFile(`${file()}.missing`, 'utf8')).toBe('{"from":0,"to":50}\n')
    await mirror.write([delivery({ from: 0, to: 20 }), delivery({ from: 20, to: 30 }, 'NULs')])
    await mirror.write([delivery({ from: 20, to: 30 }, 'NULs'), delivery({ from: 30, to: 40 })])
    await mirror.flush()
    expect(await readFile(`${file()}.missing`, 'utf8')).toBe('{"from":40,"to":50}\n')
    expect(await readFile(`${file()}.gaps`, 'utf8')).toBe('{"from":20,"to":30,"reason":"NULs"}\n')
    await mirror.write([delivery({ from: 40, to: 50 })])
    await mirror.flush()
    await expect(stat(`${file()}.missing`)).rejects.toMatchObject({ code: 'ENOENT' })
    const expected = streamBytes(streamA, 0, 80)
    expected.fill(0, 20, 30)
    expect((await readFile(file())).equals(expected)).toBe(true)
    expect((await stat(file())).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder.path, 'web'))).mode & 0o777).toBe(0o700)
    await mirror.reset()
  })

  test('what a collector left behind that died as it wrote the list goes with the list', async () => {
    const mirror = await Mirror.open(folder.path)
    await mirror.write([delivery({ from: 50, to: 80 })])
    await writeFile(`${file()}.missing.tmp`, '{"from":0,')
    await mirror.write([delivery({ from: 0, to: 50 })])
    await mirror.flush()
    expect(
      (await readdir(join(folder.path, 'web'), { recursive: true })).filter((name) => /missing/.test(name)),
    ).toEqual([])
    await mirror.reset()
  })

  test('a gap that another collector noted is not announced as missing', async () => {
    const first = await Mirror.open(folder.path)
    await first.write([delivery({ from: 0, to: 20 }), delivery({ from: 20, to: 30 }, 'NULs')])
    await first.flush()
    const second = await Mirror.open(folder.path)
    await second.write([delivery({ from: 30, to: 40 })])
    await second.flush()
    await expect(stat(`${file()}.missing`)).rejects.toMatchObject({ code: 'ENOENT' })
    await first.reset()
    await second.reset()
  })

  test('collectors that fill one file in any order, and crash, leave it whole and nothing missing', async () => {
    const wish = fc.record({
      cuts: fc.uniqueArray(fc.integer({ min: 1, max: 399 }), { maxLength: 14 }),
      owners: fc.array(fc.nat(2), { minLength: 16, maxLength: 16 }),
      gap: fc.option(fc.nat(14)),
      schedule: fc.array(
        fc.record({ who: fc.nat(2), what: fc.constantFrom('write', 'write', 'flush', 'crash', 'both') }),
        { maxLength: 60 },
      ),
    })
    await fc.assert(
      fc.asyncProperty(wish, async ({ cuts, owners, gap, schedule }) => {
        await rm(folder.path, { recursive: true, force: true })
        const bounds = [0, ...cuts.toSorted((a, b) => a - b), 400]
        const all = bounds.slice(1).map((to, index) => ({
          range: { from: bounds[index] ?? 0, to },
          owner: owners[index] ?? 0,
          gap: gap === index && index < bounds.length - 2,
        }))
        const owned = (who: number): typeof all => all.filter(({ owner }) => owner === who)
        const writers = [0, 1, 2].map((who) => new MirrorWriter(folder.path, owned(who)))
        for (const { who, what } of schedule)
          await Promise.all([
            writers[who]?.act(what),
            writers[(who + 1) % 3]?.act(what === 'both' ? 'write' : 'nothing'),
          ])
        for (const writer of writers) await writer.finish()
        const expected = streamBytes(streamA, 0, 400)
        for (const { range, gap: hole } of all) if (hole) expected.fill(0, range.from, range.to)
        expect((await readFile(file())).equals(expected)).toBe(true)
        const names = await readdir(join(folder.path, 'web', 'host-1', 'var', 'log'))
        expect(names.filter((name) => name.includes('.missing'))).toEqual([])
      }),
      { numRuns: 15, seed: 99 },
    )
  })

  test('links are not followed and cost only their own stream', async () => {
    const outside = join(folder.path, 'outside')
    const root = join(folder.path, 'mirror')
    await mkdir(outside)
    const mirror = await Mirror.open(root)
    await symlink(outside, join(root, 'web'))
    const refused = await mirror.write([delivery({ from: 0, to: 10 })])
    expect(refused).toMatchObject([{ error: { code: 'unsafe-path' } }])
    await rm(join(root, 'web'))
    await mkdir(join(root, 'web', 'host-1', 'var', 'log'), { recursive: true })
    await symlink(join(outside, 'victim'), join(root, place(streamA)))
    expect(await mirror.write([delivery({ from: 0, to: 10 })])).toHaveLength(1)
    expect(await readdir(outside)).toEqual([])
    expect((await lstat(join(root, place(streamA)))).isSymbolicLink()).toBe(true)
  })
})

describe('mirrorPlace', () => {
  test('whatever a path says, the place is below the root and fits the file system', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1, maxLength: 300 }),
          fc
            .array(fc.constantFrom('..', '.', '~', 'a', '\0', 'ü'), { minLength: 1, maxLength: 2000 })
            .map((parts) => parts.join('/')),
        ),
        (path) => {
          const { directories, name } = mirrorPlace({ group: 'a/b~0', source: 'host', path, stream: streamA })
          for (const part of [...directories, name])
            expect(part).toMatch(/^[A-Za-z0-9_%~-]([A-Za-z0-9_.%~-]*[A-Za-z0-9_%~-])?$/)
          expect(join(...directories, name).length).toBeLessThan(2600)
          expect(name.length + '.missing.tmp'.length).toBeLessThan(256)
        },
      ),
    )
  })
})

/** A collector's delivery to the mirror: what it holds in order, a cursor that moves after a flush, crashes. */
class MirrorWriter {
  readonly #root: string
  readonly #ranges: readonly { readonly range: ByteRange; readonly gap: boolean }[]
  #mirror: Mirror | undefined
  #position = 0
  #cursor = 0

  constructor(root: string, ranges: readonly { readonly range: ByteRange; readonly gap: boolean }[]) {
    this.#root = root
    this.#ranges = ranges
  }

  async act(what: string): Promise<void> {
    if (what === 'write' || what === 'both') await this.#write()
    if (what === 'flush') await this.#flush()
    if (what === 'crash') {
      await this.#mirror?.reset()
      this.#mirror = undefined
      this.#position = this.#cursor
    }
  }

  async finish(): Promise<void> {
    while (this.#position < this.#ranges.length) await this.#write()
    await this.#flush()
    await this.#mirror?.reset()
  }

  async #write(): Promise<void> {
    const next = this.#ranges[this.#position]
    if (next === undefined) return
    this.#mirror ??= await Mirror.open(this.#root)
    await this.#mirror.write([delivery(next.range, next.gap ? 'lost' : undefined)])
    this.#position += 1
  }

  async #flush(): Promise<void> {
    const reached = this.#position
    await this.#mirror?.flush()
    this.#cursor = reached
  }
}
