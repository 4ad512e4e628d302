import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { startProcess, tempDirectory, type ChildProcess } from '@catchment/testing'
import { z } from 'zod'

const server = fileURLToPath(new URL('programs/server.ts', import.meta.url))
const start = (words: readonly string[]): ChildProcess => startProcess(process.execPath, [server, ...words])
const { version } = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')))
const linesOf = (text: string): unknown[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line): unknown => JSON.parse(line))

describe('runService', () => {
  test('logs its start with version, listen address and data directory, is ready, and stops cleanly at a signal', async () => {
    await using child = start(['--port', '9'])
    await child.line((line) => line === 'serves on 9')
    child.signal('SIGTERM')
    expect(await child.ended).toEqual({ code: 0, signal: null })
    expect(child.output.stdout).toBe('serves on 9\nstopped\n')
    expect(linesOf(child.output.stderr)).toEqual([
      {
        level: 'info',
        at: expect.any(String),
        program: 'server',
        message: 'started',
        ...{ version, id: 's1', port: 9, listen: '127.0.0.1:9', data: '/data' },
      },
    ])
  })

  test('with --json its ready line is one JSON value', async () => {
    await using child = start(['--json', '--ends', 'itself'])
    expect(await child.ended).toEqual({ code: 0, signal: null })
    const [ready] = child.output.stdout.split('\n')
    const pid: unknown = expect.any(Number)
    expect(JSON.parse(ready ?? '')).toEqual({ program: 'server', id: 's1', port: 7, pid, ready: true })
  })

  test('stops what it started and ends with 1 when the service ends badly', async () => {
    await using child = start(['--ends', 'badly'])
    expect(await child.ended).toEqual({ code: 1, signal: null })
    expect(child.output.stdout).toBe('serves on 7\nstopped\n')
    expect(child.output.stderr).toContain('catchment-server: Error: the disk is full')
  })

  test('--log-level is a flag and a line of the configuration file, beside the settings of the service', async () => {
    await using room = await tempDirectory()
    const config = join(room.path, 'server.yaml')
    writeFileSync(config, 'logLevel: error\nport: 8\nends: itself\n')
    await using quiet = start(['--config', config])
    expect(await quiet.ended).toEqual({ code: 0, signal: null })
    expect([quiet.output.stdout, quiet.output.stderr]).toEqual(['serves on 8\nstopped\n', ''])
    await using loud = start(['--config', config, '--log-level', 'debug'])
    expect(await loud.ended).toEqual({ code: 0, signal: null })
    expect(linesOf(loud.output.stderr)).toMatchObject([{ message: 'before' }, { message: 'started' }])
  })
})
