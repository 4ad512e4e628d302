import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { tempDirectory, type TempDirectory } from '@catchment/testing'
import { lockDirectory, makePrivateDirectory, writeFileDurably } from '../src/index.ts'

let directory: TempDirectory
beforeEach(async () => {
  directory = await tempDirectory()
})
afterEach(() => directory.remove())

describe('lockDirectory', () => {
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
