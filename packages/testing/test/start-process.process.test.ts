import { existsSync } from 'node:fs'
import { describe, expect, test } from '@jest/globals'
import { collectingLog, eventually, startProcess, tempDirectory } from '../src/index.ts'

describe('collectingLog', () => {
  test('keeps entries in order, with the fields of with', () => {
    const log = collectingLog()
    log.info('plain')
    log.with({ id: 'c1' }).with({ group: 'web' }).error('it broke', { code: 'x' })
    expect(log.entries).toEqual([
      { level: 'info', message: 'plain', fields: {} },
      { level: 'error', message: 'it broke', fields: { id: 'c1', group: 'web', code: 'x' } },
    ])
  })
})

describe('tempDirectory', () => {
  test('is there while it is used and gone afterwards', async () => {
    let path: string
    {
      await using directory = await tempDirectory()
      path = directory.path
      expect(existsSync(path)).toBe(true)
    }
    expect(existsSync(path)).toBe(false)
  })
})

describe('eventually', () => {
  test('gives what the probe finds at last', async () => {
    let asked = 0
    expect(await eventually('three', () => (asked += 1) >= 3 && asked)).toBe(3)
  })

  test('names what was awaited and the last failure', async () => {
    const refused = eventually('the port', () => Promise.reject(new Error('closed')), 30)
    await expect(refused).rejects.toThrow('waited 30 ms for the port: closed')
  })
})

describe('startProcess', () => {
  test('finds lines, past ones too, passes input on and reports the end', async () => {
    await using child = startProcess(process.execPath, [
      '-e',
      `console.log('ready'); process.stdin.on('data', (text) => { console.log('got ' + text); process.exit(3) })`,
    ])
    await child.line((line) => line === 'ready')
    child.write('a word')
    expect(await child.line((line) => line.startsWith('got'))).toBe('got a word')
    expect(await child.ended).toEqual({ code: 3, signal: null })
    expect(await child.line((line) => line === 'ready')).toBe('ready')
  })

  test('a process that ends or cannot start before the line rejects with its last words', async () => {
    await using child = startProcess(process.execPath, ['-e', `console.error('no disk'); process.exit(1)`])
    await expect(child.line(() => true)).rejects.toThrow('no disk')
    await using missing = startProcess('/no/such/program', [])
    await expect(missing.line(() => true)).rejects.toThrow('ENOENT')
  })

  test('kill ends it', async () => {
    await using child = startProcess(process.execPath, ['-e', `console.log('up'); setInterval(() => {}, 1000)`])
    await child.line((line) => line === 'up')
    expect(await child.kill()).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
