import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { startProcess, tempDirectory } from '@catchment/testing'
import { findProgram } from '../src/programs/find-program.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname
const handOver = new URL('./fakes/hand-over.ts', import.meta.url).pathname

describe('findProgram', () => {
  test('finds every program of this workspace by its package', () => {
    for (const role of ['zookeeper', 'assigner', 'collector', 'agent'] as const)
      expect(findProgram(role)).toMatch(/\/src\/main\.ts$/)
  })

  test('finds a package beside the package that asks, through its bin', async () => {
    await using room = await tempDirectory()
    const home = join(room.path, 'node_modules', '@catchment', 'source-agent')
    await mkdir(home, { recursive: true })
    await writeFile(join(home, 'package.json'), '{"bin":{"catchment-agent":"./run.js"}}')
    const asking = pathToFileURL(join(room.path, 'node_modules', '@catchment', 'cli', 'main.js')).href
    expect(findProgram('agent', asking)).toBe(join(home, 'run.js'))
    expect(() => findProgram('collector', asking)).toThrow(
      expect.objectContaining({
        code: 'not-installed',
        message: expect.stringMatching(/@catchment\/collector is not/),
      }),
    )
  })
})

describe('catchment PROGRAM', () => {
  test('becomes the program: same words, same process, same exit code', async () => {
    const child = startProcess(process.execPath, [handOver, 'collector', '--id', 'c 1', '--json', '--', '-x', 'end=7'])
    const { pid, words } = JSON.parse(await child.line(() => true)) as { pid: number; words: string[] }
    expect({ pid, words }).toEqual({ pid: child.pid, words: ['--id', 'c 1', '--json', '--', '-x', 'end=7'] })
    child.signal('SIGTERM')
    expect(await child.ended).toEqual({ code: 7, signal: null })
  })

  test('shows the help of the program itself', async () => {
    const child = startProcess(process.execPath, [main, 'zookeeper', '--help'])
    expect((await child.ended).code).toBe(0)
    expect(child.output.stdout).toContain('Usage: catchment-zookeeper')
  })
})
