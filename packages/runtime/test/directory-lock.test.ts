import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { startProcess, tempDirectory, type ChildProcess, type TempDirectory } from '@catchment/testing'
import { lockDirectory, makePrivateDirectory, withFileLock, writeFileDurably } from '../src/index.ts'

let directory: TempDirectory
beforeEach(async () => {
  directory = await tempDirectory()
})
afterEach(() => directory.remove())

const script = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url))
const holder = async (kind: 'directory' | 'file', path: string): Promise<ChildProcess> => {
  const child = startProcess(process.execPath, [script('hold-lock.ts'), kind, path])
  await child.line((line) => line === 'locked')
  return child
}

describe('lockDirectory', () => {
  test('another process is refused and told who holds it; kill -9 of the holder frees it', async () => {
    const path = join(directory.path, 'data')
    await using child = await holder('directory', path)
    await expect(lockDirectory(path, 'collector c2')).rejects.toMatchObject({
      code: 'in-use',
      blame: 'operator',
      message: expect.stringContaining(`cannot use ${path}: it is in use by collector c1 (pid ${child.pid})`),
    })
    await child.kill()
    const lock = await lockDirectory(path, 'collector c2')
    expect(await readFile(join(path, 'lock.owner'), 'utf8')).toBe(`collector c2 (pid ${process.pid})\n`)
    lock.release()
  })

  test('the same process is refused too, until release', async () => {
    const first = await lockDirectory(directory.path, 'one')
    await expect(lockDirectory(directory.path, 'two')).rejects.toMatchObject({ code: 'in-use' })
    first.release()
    const second = await lockDirectory(directory.path, 'two')
    second.release()
  })

  test('the directory is made for its owner alone', async () => {
    const lock = await lockDirectory(join(directory.path, 'a', 'b'), 'one')
    lock.release()
    for (const made of ['a', 'a/b']) expect((await stat(join(directory.path, made))).mode & 0o777).toBe(0o700)
  })

  test('what cannot be locked, or not be signed, says so and leaves no lock behind', async () => {
    await mkdir(join(directory.path, 'x', 'lock'), { recursive: true })
    await expect(lockDirectory(join(directory.path, 'x'), 'one')).rejects.toMatchObject({
      code: 'cannot-lock',
      blame: 'machine',
    })
    await mkdir(join(directory.path, 'y', 'lock.owner.tmp'), { recursive: true })
    for (let attempt = 0; attempt < 2; attempt += 1)
      await expect(lockDirectory(join(directory.path, 'y'), 'one')).rejects.toMatchObject({ code: 'EISDIR' })
  })
})

describe('withFileLock', () => {
  test('two processes that count in one file lose no count', async () => {
    const path = join(directory.path, 'count')
    await writeFile(path, '0')
    await using first = startProcess(process.execPath, [script('count-up.ts'), path, '200'])
    await using second = startProcess(process.execPath, [script('count-up.ts'), path, '200'])
    expect([await first.ended, await second.ended]).toEqual([
      { code: 0, signal: null },
      { code: 0, signal: null },
    ])
    expect(await readFile(path, 'utf8')).toBe('400')
  })

  test('waits, then throws in-use; a killed holder frees it; an error of the work does too', async () => {
    const path = join(directory.path, 'lock')
    await using child = await holder('file', path)
    expect(() => withFileLock(path, 50, () => 'mine')).toThrow(
      expect.objectContaining({ code: 'in-use', retryable: true, message: `waited 50 ms for the lock ${path}` }),
    )
    await child.kill()
    expect(() =>
      withFileLock(path, 0, () => {
        throw new Error('the work failed')
      }),
    ).toThrow('the work failed')
    expect(withFileLock(path, 0, () => 'mine')).toBe('mine')
  })
})

describe('writeFileDurably', () => {
  test('replaces the whole, keeps the old where it fails, leaves no temporary file behind', async () => {
    const path = join(directory.path, 'state')
    await writeFileDurably(path, 'a long first content')
    await writeFileDurably(path, Buffer.from('short'))
    expect(await readFile(path, 'utf8')).toBe('short')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    await expect(stat(`${path}.tmp`)).rejects.toMatchObject({ code: 'ENOENT' })
    await mkdir(`${path}.tmp`)
    await expect(writeFileDurably(path, 'never')).rejects.toMatchObject({ code: 'EISDIR' })
    expect(await readFile(path, 'utf8')).toBe('short')
  })
})

describe('makePrivateDirectory', () => {
  test('is content with one that is there', async () => {
    await makePrivateDirectory(directory.path)
    await makePrivateDirectory(`${directory.path}/x/`)
    await makePrivateDirectory(`${directory.path}/x/../y/z`)
    expect((await stat(join(directory.path, 'y/z'))).isDirectory()).toBe(true)
  })
})
