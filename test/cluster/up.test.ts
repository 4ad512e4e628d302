// `catchment up` as a newcomer runs it: the real programs, a followed file, a killed collector, Ctrl-C, and again.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { patienceMs, startProcess, tempDirectory, type ChildProcess } from '@catchment/testing'
import { z } from 'zod'
import { matchGenerations, readMirrors } from './programs/oracle.ts'
import { mainOf, nodeFlags } from './programs/program.ts'
import { storyMs, until } from './programs/until.ts'

const lineSchema = z.object({ program: z.string(), id: z.string().optional(), pid: z.number().optional() })
const lastSchema = z.object({
  program: z.literal('catchment'),
  ready: z.literal(true),
  data: z.string(),
  out: z.string(),
  url: z.url(),
})

const undo: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

function up(home: string, ...words: string[]): ChildProcess {
  const command = [...nodeFlags, mainOf('catchment'), 'up', '--json', ...words]
  const child = startProcess(process.execPath, command, {
    environment: { HOME: home, XDG_STATE_HOME: join(home, 'state') },
  })
  undo.push(() => child.kill())
  return child
}

function member(line: string): z.infer<typeof lineSchema> {
  return lineSchema.parse(JSON.parse(line))
}

test(
  'catchment up: collects, survives the death of a collector, refuses a second one, ends in time and goes on',
  async () => {
    const directory = await tempDirectory()
    undo.push(() => directory.remove())
    const logs = join(directory.path, 'logs')
    mkdirSync(logs)
    const log = join(logs, 'app.log')
    writeFileSync(log, 'before the start\n')
    const words = ['--follow', join(logs, '*.log'), '--data', join(directory.path, 'data'), '--port', '0']

    const first = up(directory.path, ...words)
    const collector = member(await first.line((line) => member(line).id === 'c1'))
    const ready = lastSchema.parse(JSON.parse(await first.line((line) => member(line).program === 'catchment')))
    const mirrored = (): Promise<unknown> =>
      until('the mirror', patienceMs, () => matchGenerations([log], readMirrors(ready.out).mirrors))
    await mirrored()

    process.kill(collector.pid ?? 0, 'SIGKILL')
    const second = up(directory.path, ...words)
    appendFileSync(log, 'while a collector is dead\n')
    expect(await second.ended).toMatchObject({ code: 1 })
    expect(second.output.stderr).toContain(`pid ${first.pid}`)
    await mirrored()
    await first.line((line) => member(line).id === 'c1' && member(line).pid !== collector.pid)

    const interruptedAt = performance.now()
    first.signal('SIGINT')
    expect(await first.ended).toMatchObject({ code: 0 })
    expect(performance.now() - interruptedAt).toBeLessThan(8000) // what is promised of Ctrl-C
    for (const line of first.output.stdout.trim().split('\n')) expect(isAlive(member(line).pid)).toBe(false)

    appendFileSync(log, 'while nothing runs\n')
    const third = up(directory.path, ...words)
    await third.line((line) => member(line).program === 'catchment')
    await mirrored()
    expect(readFileSync(log, 'utf8').split('\n')).toHaveLength(4)
    third.signal('SIGTERM')
    expect(await third.ended).toMatchObject({ code: 0 })
  },
  storyMs,
)

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
