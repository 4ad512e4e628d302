import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { startProcess, tempDirectory, type ChildProcess } from '@catchment/testing'
import { lockDirectory, withFileLock } from '../src/index.ts'

const script = (name: string): string => fileURLToPath(new URL(`programs/${name}`, import.meta.url))
const holder = async (kind: 'directory' | 'file', path: string): Promise<ChildProcess> => {
  const child = startProcess(process.execPath, [script('hold-lock.ts'), kind, path])
  await child.line((line) => line === 'locked')
  return child
}

describe('lockDirectory', () => {
  test('another process is refused, with the name of the holder; kill -9 of the holder frees it', async () => {
    await using directory = await tempDirectory()
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
})

describe('withFileLock', () => {
  test('two processes that count in one file lose no count', async () => {
    await using directory = await tempDirectory()
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
    await using directory = await tempDirectory()
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
