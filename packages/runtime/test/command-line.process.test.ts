import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { eventually, startProcess, type ChildProcess } from '@catchment/testing'

const worker = fileURLToPath(new URL('programs/worker.ts', import.meta.url))
const start = (words: readonly string[], environment: Record<string, string> = {}): ChildProcess =>
  startProcess(process.execPath, [worker, ...words], { environment })

/** Runs the worker to its end. */
async function outcome(
  words: readonly string[],
  environment: Record<string, string> = {},
): Promise<{ code: number | null; out: string; err: string }> {
  await using child = start(words, environment)
  const { code } = await child.ended
  return { code, out: child.output.stdout, err: child.output.stderr }
}

describe('runProgram', () => {
  test('ends with 0 when the work is done; passes settings, the arguments and --json on', async () => {
    const { code, out, err } = await outcome(['hello', '--json', '--port', '3', '--no-haste', 'world'], {
      CATCHMENT_PORT: '4',
    })
    expect([code, err]).toEqual([0, ''])
    expect(JSON.parse(out)).toEqual({
      settings: { deed: 'end', noHaste: true, port: 3 },
      arguments: ['hello', 'world'],
      json: true,
      colours: false,
    })
  })

  test('--help and --version end with 0; the help names every flag and default', async () => {
    const help = await outcome(['--help'])
    expect([help.code, help.err]).toEqual([0, ''])
    for (const text of [
      'worker [options] [word] [other]',
      '--deed <',
      '--port <N>',
      '(default: 7)',
      '--json',
      '--config <FILE>',
    ])
      expect(help.out).toContain(text)
    expect(await outcome(['--version'])).toEqual({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), err: '' })
  })

  test.each([
    [['--prt', '3'], '--port'],
    [['--port', '11'], '--port cannot be "11"'],
    [['--deed', 'use-wrongly'], 'worker: that is no way to use it'],
  ])('used wrongly (%j) ends with 2 and says how', async (words, text) => {
    const { code, out, err } = await outcome(words)
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(text)
    expect(err).not.toMatch(/^\s+at /m)
  })

  test('a failure ends with 1: in words when somebody can act, with a stack when it is our defect', async () => {
    const failed = await outcome(['--deed', 'blame-operator'])
    expect(failed).toEqual({ code: 1, out: '', err: 'worker: cannot open /data: it is missing. Make it\n' })
    const defect = await outcome(['--deed', 'fail'])
    expect(defect.code).toBe(1)
    expect(defect.err).toMatch(/^worker: TypeError: a defect of ours\n\s+at /)
  })

  test('with --json a failure is one JSON line', async () => {
    const { code, err } = await outcome(['--json', '--deed', 'blame-operator'])
    expect(code).toBe(1)
    expect(JSON.parse(err)).toEqual({
      error: { code: 'no-disk', message: 'cannot open /data: it is missing. Make it' },
    })
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s aborts the signal; a clean end is 0', async (signal) => {
    for (const deed of ['wait', 'wait-and-throw']) {
      await using child = start(['--deed', deed])
      await child.line((line) => line === 'ready')
      child.signal(signal)
      expect([deed, await child.ended]).toEqual([deed, { code: 0, signal: null }])
      expect(child.output.stderr).toBe('')
    }
  })

  test('a later second signal ends what does not stop', async () => {
    await using child = start(['--deed', 'stubborn'])
    await child.line((line) => line === 'ready')
    child.signal('SIGTERM')
    await child.line((line) => line === 'stopping')
    // an echo of the first, half a second long, is ignored
    const ended = await eventually('its end', () => {
      child.signal('SIGTERM')
      return Promise.race([child.ended, Promise.resolve(undefined)])
    })
    expect(ended).toEqual({ code: 143, signal: null })
  })

  test('--exit-with-stdin: ends cleanly when the parent goes, and does not stay when the work ends or fails', async () => {
    for (const deed of ['wait', 'wait-and-throw']) {
      await using child = start(['--exit-with-stdin', '--deed', deed])
      await child.line((line) => line === 'ready')
      child.closeInput()
      expect([deed, await child.ended, child.output.stderr]).toEqual([deed, { code: 0, signal: null }, ''])
    }
    expect(await outcome(['--exit-with-stdin'])).toMatchObject({ code: 0 })
    expect(await outcome(['--exit-with-stdin', '--deed', 'blame-operator'])).toMatchObject({ code: 1 })
  })

  test('a reader that has seen enough ends it with 0', async () => {
    const child = spawn(process.execPath, [worker, '--deed', 'print'], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})
