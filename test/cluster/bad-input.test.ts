// What goes wrong where people use it: each a clear message or a counted event, the right exit code, and nothing lost.

import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { afterEach, describe, expect, test } from '@jest/globals'
import { startProcess, tempDirectory, type ProcessEnd } from '@catchment/testing'
import { Cluster } from './cluster.ts'
import { matchGenerations, readMirrors } from './oracle.ts'
import { mainOf, nodeFlags, type ProgramKind } from './program.ts'
import { until } from './until.ts'

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

async function folder(): Promise<string> {
  const directory = await tempDirectory()
  undo.push(() => directory.remove())
  return directory.path
}

/** Runs a program to its end. */
async function run(kind: ProgramKind, ...words: string[]): Promise<ProcessEnd & { stderr: string }> {
  const child = startProcess(process.execPath, [...nodeFlags, mainOf(kind), ...words])
  undo.push(async () => {
    await child.kill()
  })
  const end = await child.ended
  return { ...end, stderr: child.output.stderr }
}

async function cluster(directory: string, options: Partial<Cluster['options']> = {}): Promise<Cluster> {
  const made = new Cluster({
    directory,
    assigners: 1,
    collectors: 1,
    agentArgs: ['--id', 'agent-1', '--group', '{file}', '--follow', join(directory, 'logs-of-mine', '*.log')],
    ...options,
  })
  mkdirSync(join(directory, 'logs-of-mine'))
  undo.push(() => made.stop())
  await made.start()
  return made
}

function mirrored(made: Cluster, files: readonly string[]): Promise<unknown> {
  return until('the mirrors', 30_000, () => matchGenerations(files, readMirrors(made.mirror).mirrors))
}

const server = ['--zookeeper', '127.0.0.1:1', '--id', 'x', '--session-timeout', '1000']

describe('wrong use ends with exit code 2 and says what would be right', () => {
  test.each<[ProgramKind, string[], RegExp]>([
    ['agent', ['--folow', '/x'], /--follow/],
    ['agent', ['--assigner', 'http://127.0.0.1:1', '--data', '/dev/null/x'], /--follow is required/],
    ['agent', ['--assigner', 'seven', '--follow', '/x', '--data', '/dev/null/x'], /"seven"/],
    ['collector', ['--id', 'c1'], /--zookeeper is required/],
    ['collector', [...server, '--data', '/dev/null/x', '--disk-max', 'lots'], /"lots"/],
    ['collector', [...server, '--data', '/dev/null/x', '--listen', '0.0.0.0:0'], /--insecure/],
    ['assigner', [...server, '--redistribution', 'both'], /local.*global/],
    ['assigner', [...server, '--listen', '0.0.0.0:0'], /--insecure/],
    ['zookeeper', ['--data', '/dev/null/x', '--port', 'many'], /--port/],
    ['catchment', ['tre'], /tree/],
    ['catchment', ['rebalance', '--mode', 'sideways'], /local.*global/],
    ['catchment', [], /Usage/],
  ])('%s %j', async (kind, words, says) => {
    const end = await run(kind, ...words)
    expect(end).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
  })

  test('a misspelt key in the configuration is named with what was meant', async () => {
    const config = join(await folder(), 'agent.yaml')
    writeFileSync(config, 'folow: /var/log/*.log\n')
    const end = await run('agent', '--config', config)
    expect(end).toMatchObject({ code: 2, stderr: expect.stringMatching(/"folow".*did you mean "follow"/) })
  })
})

describe('what cannot work ends with exit code 1 and says why', () => {
  test('a port in use is named', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    undo.push(() => void taken.close())
    await new Promise((resolve) => taken.once('listening', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const end = await run('zookeeper', '--data', await folder(), '--port', port)
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining(port) })
  })

  test('a ZooKeeper that does not answer is named', async () => {
    const collector = run('collector', ...server, '--data', await folder())
    const assigner = run('assigner', ...server, '--listen', '127.0.0.1:0')
    for (const end of [await collector, await assigner])
      expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:1') })
  })

  test('a data directory in use names its user', async () => {
    const directory = await folder()
    const made = await cluster(directory)
    const end = await run('collector', ...server, '--data', made.data('c1'))
    expect(end).toMatchObject({ code: 1, stderr: expect.stringMatching(/in use by .*c1.*pid/) })
  })

  test('operators’ verbs without an assigner say which address did not answer', async () => {
    const end = await run('catchment', 'tree', '--assigner', 'http://127.0.0.1:1')
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1') })
  })
})

describe('what is unlucky is said and survived', () => {
  test('a glob that matches nothing warns and waits; files that come later are followed', async () => {
    const directory = await folder()
    const made = await cluster(directory)
    await made.agent.start()
    expect(made.logged('agent-1', 'no file matches yet, waiting for some')).toHaveLength(1)
    const late = join(directory, 'logs-of-mine', 'late.log')
    writeFileSync(late, 'better late\n')
    await mirrored(made, [late])
  })

  test('a directory without permission gives one summary, and is followed when it is allowed', async () => {
    const directory = await folder()
    const logs = join(directory, 'logs-of-mine')
    const made = await cluster(directory)
    const closed = join(logs, 'closed.log')
    writeFileSync(closed, 'now readable\n')
    writeFileSync(join(logs, 'closed-too.log'), 'now readable, too\n')
    chmodSync(logs, 0o000)
    const data = made.data('unprivileged')
    mkdirSync(data, { recursive: true })
    if (process.getuid?.() === 0) chownAll(directory, nobody)
    const agent = startProcess(
      ...asNobody('agent', [
        ...['--assigner', made.assignerUrls().join(), '--id', 'agent-2', '--group', '{file}', '--data', data],
        ...['--follow', join(logs, '*.log'), '--rescan-ms', '200', '--json'],
      ]),
    )
    undo.push(async () => {
      await agent.kill()
    })
    await until('the summary', 20_000, () => /cannot be read/.exec(agent.output.stderr) ?? undefined)
    chmodSync(logs, 0o755)
    await mirrored(made, [closed, join(logs, 'closed-too.log')])
    expect(agent.output.stderr.split('\n').filter((line) => line.includes('cannot be read')).length).toBe(1)
  })

  test('a full disk pushes back, and everything arrives when there is room', async () => {
    const directory = await folder()
    const small = join(directory, 'data', 'c1')
    mkdirSync(small, { recursive: true })
    mount(small, '8m')
    undo.push(() => void execFileSync('umount', ['--lazy', small]))
    const made = await cluster(directory)
    const big = join(directory, 'logs-of-mine', 'big.log')
    for (let i = 0; i < 24; i += 1) appendFileSync(big, `${randomBytes(512 * 1024).toString('hex')}\n`)
    await made.agent.start()
    await until(
      'a full disk',
      30_000,
      () => /no room|no-space|507/.exec(readFileSync(made.logOf('agent-1'), 'utf8')) ?? undefined,
    )
    expect(made.collectors[0]?.alive).toBe(true)
    execFileSync('mount', ['-o', 'remount,size=128m', small])
    await mirrored(made, [big])
  })

  test('a corrupted segment is counted, and what came after it is still there', async () => {
    const directory = await folder()
    const made = await cluster(directory)
    const log = join(directory, 'logs-of-mine', 'a.log')
    writeFileSync(log, 'one line\n')
    await made.agent.start()
    await mirrored(made, [log])
    appendFileSync(log, 'another line\n')
    await mirrored(made, [log])
    await made.collectors[0]?.stop()
    corrupt(join(made.data('c1'), 'segments'), 'one line')
    await made.collectors[0]?.start()
    expect(readFileSync(made.logOf('c1'), 'utf8')).toContain('corrupt')
    appendFileSync(log, 'a third line\n')
    await mirrored(made, [log])
  })

  test('a corrupted checkpoint is counted, and nothing is lost', async () => {
    const directory = await folder()
    const made = await cluster(directory)
    const log = join(directory, 'logs-of-mine', 'a.log')
    writeFileSync(log, 'one line\n')
    await made.agent.start()
    await mirrored(made, [log])
    await made.agent.stop()
    for (const name of readdirSync(made.data('agent-1')).filter((file) => file.startsWith('checkpoint')))
      flipMiddle(join(made.data('agent-1'), name))
    appendFileSync(log, 'another line\n')
    await made.agent.start()
    expect(made.logged('agent-1', 'the checkpoint log was damaged')).toHaveLength(1)
    const whole = readFileSync(log)
    await until('a mirror of the whole file', 30_000, () =>
      readMirrors(made.mirror).mirrors.find((mirror) => readFileSync(mirror.path).equals(whole)),
    )
  })
})

const nobody = 65_534

/** A program as a user without privileges: root may read everything. */
function asNobody(kind: ProgramKind, words: readonly string[]): [string, string[]] {
  const command = [process.execPath, ...nodeFlags, mainOf(kind), ...words]
  if (process.getuid?.() !== 0) return [command[0] ?? '', command.slice(1)]
  return ['setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...command]]
}

function chownAll(directory: string, user: number): void {
  for (const closed of [directory, join(directory, 'data')]) chmodSync(closed, 0o755)
  for (const name of ['logs-of-mine', 'data/unprivileged']) chownSync(join(directory, name), user, user)
}

function mount(at: string, size: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'catchment-test', at])
}

/** Flips a byte of the first frame's payload in the first segment. */
function corrupt(segments: string, text: string): void {
  const path = join(segments, readdirSync(segments).toSorted()[0] ?? '')
  const bytes = readFileSync(path)
  const at = bytes.indexOf(text)
  if (at < 0) throw new Error(`${path} does not hold "${text}" as it is`)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
}

function flipMiddle(path: string): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length / 2)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
}
