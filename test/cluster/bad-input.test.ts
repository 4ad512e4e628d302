// What goes wrong where people use it: each a clear message or a counted event, the right exit code, and nothing lost.

import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { environment } from '@catchment/runtime'
import { patienceMs, startProcess, tempDirectory, type ProcessEnd } from '@catchment/testing'
import { Cluster, type Member } from './cluster.ts'
import { matchGenerations, readMirrors } from './oracle.ts'
import { mainOf, nodeFlags, type ProgramKind } from './program.ts'
import { canMakeSmallDisks, growSmallDisk, withSmallDisk } from './small-disk.ts'
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

/** One collector, one assigner, one ZooKeeper; started, and stopped by whoever asked. */
async function cluster(directory: string, options: Partial<Cluster['options']> = {}): Promise<Cluster> {
  const made = new Cluster({
    directory,
    assigners: 1,
    collectors: 1,
    agentArgs: [],
    sessionTimeoutMs: 1000,
    ...options,
  })
  await made.start()
  return made
}

/** What a test has for itself in a cluster that several share: a folder of logs, an agent for it, and their mirror. */
class Corner {
  readonly id: string
  readonly logs: string
  readonly agent: Member
  readonly #cluster: Cluster

  constructor(of: Cluster, id: string) {
    this.id = id
    this.#cluster = of
    this.logs = join(of.options.directory, `logs-of-${id}`)
    mkdirSync(this.logs)
    this.agent = of.anAgent(id, ['--group', id, '--follow', join(this.logs, '*.log')])
    undo.push(() => this.agent.stop())
  }

  /** A new file of these bytes; its path. */
  write(name: string, content: string): string {
    const path = join(this.logs, name)
    writeFileSync(path, content)
    return path
  }

  logged(message: string): unknown[] {
    return this.#cluster.logged(this.id, message)
  }

  /** When the mirrors of this corner are exactly these files. */
  async mirrors(...files: readonly string[]): Promise<void> {
    const mirror = join(this.#cluster.mirror, this.id)
    await until('the mirrors', patienceMs, () => matchGenerations(files, readMirrors(mirror).mirrors))
  }
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

  test('a ZooKeeper that does not answer is named by a collector that knows no list', async () => {
    const end = await run('collector', ...server, '--data', await folder())
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:1') })
  })

  test('operators’ verbs without an assigner say which address did not answer', async () => {
    const end = await run('catchment', 'tree', '--assigner', 'http://127.0.0.1:1')
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1') })
  })
})

describe('what is unlucky is said and survived', () => {
  test('an assigner names the ZooKeeper that does not answer, goes on trying, and ends at SIGTERM', async () => {
    const words = [...nodeFlags, mainOf('assigner'), ...server, '--listen', '127.0.0.1:0']
    await using assigner = startProcess(process.execPath, words)
    await until('the warning', patienceMs, () => /answer.*127\.0\.0\.1:1/.exec(assigner.output.stderr) ?? undefined)
    assigner.signal('SIGTERM')
    expect(await assigner.ended).toEqual({ code: 0, signal: null })
  })

  let directory: Awaited<ReturnType<typeof tempDirectory>>
  let made: Cluster
  beforeAll(async () => {
    directory = await tempDirectory()
    made = await cluster(directory.path)
  })
  afterAll(async () => {
    await made.stop()
    await directory.remove()
  })

  test('a data directory that cannot be made is named, with what would help', async () => {
    for (const kind of ['collector', 'zookeeper'] as const) {
      const own = kind === 'collector' ? server : ['--port', '0']
      const end = await run(kind, ...own, '--data', '/dev/null/x')
      expect(end).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/cannot use \/dev\/null\/x.*name a directory/),
      })
      expect(end.stderr).not.toMatch(/\n +at /)
    }
  })

  test('a data directory in use names its user', async () => {
    const end = await run('collector', ...server, '--data', made.data('c1'))
    expect(end).toMatchObject({ code: 1, stderr: expect.stringMatching(/in use by .*c1.*pid/) })
  })

  test('a glob that matches nothing warns and waits; files that come later are followed', async () => {
    const corner = new Corner(made, 'late')
    await corner.agent.start()
    expect(corner.logged('no file matches yet, waiting for some')).toHaveLength(1)
    await corner.mirrors(corner.write('late.log', 'better late\n'))
  })

  test('a directory without permission gives one summary, and is followed when it is allowed', async () => {
    const corner = new Corner(made, 'closed')
    const closed = [corner.write('closed.log', 'now readable\n'), corner.write('too.log', 'now readable, too\n')]
    chmodSync(corner.logs, 0o000)
    const data = made.data('closed')
    mkdirSync(data, { recursive: true })
    if (process.getuid?.() === 0) giveToNobody(made, [corner.logs, data])
    const agent = startProcess(
      ...asNobody('agent', [
        ...['--assigner', made.assignerUrls().join(), '--id', 'closed', '--group', 'closed', '--data', data],
        ...['--follow', join(corner.logs, '*.log'), '--rescan-ms', '200', '--json'],
      ]),
    )
    undo.push(() => agent.kill().then(() => undefined))
    await until('the summary', patienceMs, () => /cannot be read/.exec(agent.output.stderr) ?? undefined)
    chmodSync(corner.logs, 0o755)
    await corner.mirrors(...closed)
    expect(agent.output.stderr.split('\n').filter((line) => line.includes('cannot be read')).length).toBe(1)
  })

  test('a corrupted segment is counted, and what came after it is still there', async () => {
    const corner = new Corner(made, 'corrupt')
    const log = corner.write('a.log', 'to be corrupted\n')
    await corner.agent.start()
    await corner.mirrors(log)
    appendFileSync(log, 'another line\n')
    await corner.mirrors(log)
    await made.collectors[0]?.stop()
    corrupt(join(made.data('c1'), 'segments'), 'to be corrupted')
    await made.collectors[0]?.start()
    expect(readFileSync(made.logOf('c1'), 'utf8')).toContain('corrupt')
    appendFileSync(log, 'a third line\n')
    await corner.mirrors(log)
  })

  test('a corrupted checkpoint is counted, and nothing is lost', async () => {
    const corner = new Corner(made, 'checkpoint')
    const log = corner.write('a.log', 'one line\n')
    await corner.agent.start()
    await corner.mirrors(log)
    await corner.agent.stop()
    const data = made.data('checkpoint')
    for (const name of readdirSync(data).filter((file) => file.startsWith('checkpoint'))) flipMiddle(join(data, name))
    appendFileSync(log, 'another line\n')
    await corner.agent.start()
    expect(corner.logged('the checkpoint log was damaged')).toHaveLength(1)
    const whole = readFileSync(log)
    await until('a mirror of the whole file', patienceMs, () =>
      readMirrors(join(made.mirror, 'checkpoint')).mirrors.find((mirror) => readFileSync(mirror.path).equals(whole)),
    )
  })
})

// Where nobody may mount, in a namespace either, there is no small disk; in CI that is a failure and no excuse.
const whereDisks = canMakeSmallDisks || environment()['CI'] === 'true' ? describe : describe.skip

whereDisks('a full disk (needs unshare and tmpfs)', () => {
  test('pushes back, and everything arrives when there is room', async () => {
    const directory = await folder()
    const small = join(directory, 'data', 'c1')
    mkdirSync(small, { recursive: true })
    const made = await cluster(directory, { beforeCollector: (data) => withSmallDisk(data, 8) })
    undo.push(() => made.stop())
    const corner = new Corner(made, 'big')
    const big = corner.write('big.log', '')
    for (let i = 0; i < 24; i += 1) appendFileSync(big, `${randomBytes(512 * 1024).toString('hex')}\n`)
    await corner.agent.start()
    await until(
      'a full disk',
      patienceMs,
      () => /no room|no-space|507/.exec(readFileSync(made.logOf('big'), 'utf8')) ?? undefined,
    )
    expect(made.collectors[0]?.alive).toBe(true)
    growSmallDisk(made.collectors[0]?.program?.pid ?? 0, small, 128)
    await corner.mirrors(big)
  })
})

const nobody = 65_534

/** A program as a user without privileges: root may read everything. */
function asNobody(kind: ProgramKind, words: readonly string[]): [string, string[]] {
  const command = [process.execPath, ...nodeFlags, mainOf(kind), ...words]
  if (process.getuid?.() !== 0) return [command[0] ?? '', command.slice(1)]
  return ['setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...command]]
}

/** These directories belong to nobody, and nobody may walk to them. */
function giveToNobody(made: Cluster, directories: readonly string[]): void {
  for (const closed of [made.options.directory, join(made.options.directory, 'data')]) chmodSync(closed, 0o755)
  for (const directory of directories) chownSync(directory, nobody, nobody)
}

/** Flips a byte of `text` in the segment that holds it. */
function corrupt(segments: string, text: string): void {
  for (const name of readdirSync(segments)) {
    const path = join(segments, name)
    const bytes = readFileSync(path)
    const at = bytes.indexOf(text)
    if (at < 0) continue
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(path, bytes)
    return
  }
  throw new Error(`no segment in ${segments} holds "${text}" as it is`)
}

function flipMiddle(path: string): void {
  const bytes = readFileSync(path)
  const at = Math.floor(bytes.length / 2)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  writeFileSync(path, bytes)
}
