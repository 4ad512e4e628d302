// What goes wrong where people use it: each a clear message or a counted event, and nothing lost.

import { appendFileSync, chmodSync, chownSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { patienceMs, startProcess, tempDirectory } from '@catchment/testing'
import type { Cluster } from '../programs/cluster.ts'
import { readMirrors } from '../programs/oracle.ts'
import { mainOf, nodeFlags, type ProgramKind } from '../programs/program.ts'
import { storyMs, until } from '../programs/until.ts'
import { Corner, startCluster } from './corner.ts'
import { run, withoutZooKeeper } from './run.ts'

describe('what is unlucky is said and survived', () => {
  test('an assigner names the ZooKeeper that does not answer, goes on trying, and ends at SIGTERM', async () => {
    const words = [...nodeFlags, mainOf('assigner'), ...withoutZooKeeper, '--listen', '127.0.0.1:0']
    await using assigner = startProcess(process.execPath, words)
    await until('the warning', patienceMs, () => /answer.*127\.0\.0\.1:1/.exec(assigner.output.stderr) ?? undefined)
    assigner.signal('SIGTERM')
    expect(await assigner.ended).toEqual({ code: 0, signal: null })
  })

  const stack = new AsyncDisposableStack()
  let cluster: Cluster
  beforeAll(async () => {
    const directory = stack.use(await tempDirectory())
    cluster = stack.use(await startCluster(directory.path))
  }, storyMs)
  afterAll(() => stack.disposeAsync(), storyMs)

  test('a data directory that cannot be made is named, with what would help', async () => {
    for (const kind of ['collector', 'zookeeper'] as const) {
      const own = kind === 'collector' ? withoutZooKeeper : ['--port', '0']
      const end = await run(kind, ...own, '--data', '/dev/null/x')
      expect(end).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/cannot use \/dev\/null\/x.*name a directory/),
      })
      expect(end.stderr).not.toMatch(/\n +at /)
    }
  })

  test('a data directory in use names its user', async () => {
    const end = await run('collector', ...withoutZooKeeper, '--data', cluster.data('c1'))
    expect(end).toMatchObject({ code: 1, stderr: expect.stringMatching(/in use by .*c1.*pid/) })
  })

  test('a glob that matches nothing warns and waits; files that come later are followed', async () => {
    await using corner = new Corner(cluster, 'late')
    await corner.agent.start()
    expect(await corner.logged('no file matches yet, waiting for some')).toHaveLength(1)
    await corner.mirrors(corner.write('late.log', 'better late\n'))
  })

  test('a directory without permission gives one summary, and is followed when it is allowed', async () => {
    await using corner = new Corner(cluster, 'closed')
    const closed = [corner.write('closed.log', 'now readable\n'), corner.write('too.log', 'now readable, too\n')]
    chmodSync(corner.logs, 0o000)
    const data = cluster.data('closed')
    mkdirSync(data, { recursive: true })
    if (process.getuid?.() === 0) giveToNobody(cluster, [corner.logs, data])
    await using agent = startProcess(
      ...asNobody('agent', [
        ...['--assigner', cluster.assignerUrls().join(), '--id', 'closed', '--group', 'closed', '--data', data],
        ...['--follow', join(corner.logs, '*.log'), '--rescan-ms', '200', '--json'],
      ]),
    )
    await until('the summary', patienceMs, () => /cannot be read/.exec(agent.output.stderr) ?? undefined)
    chmodSync(corner.logs, 0o755)
    await corner.mirrors(...closed)
    expect(agent.output.stderr.split('\n').filter((line) => line.includes('cannot be read')).length).toBe(1)
  })

  test('a corrupted segment is counted, and what came after it is still there', async () => {
    await using corner = new Corner(cluster, 'corrupt')
    const log = corner.write('a.log', 'to be corrupted\n')
    await corner.agent.start()
    await corner.mirrors(log)
    appendFileSync(log, 'another line\n')
    await corner.mirrors(log)
    await cluster.collectors[0]?.stop()
    corrupt(join(cluster.data('c1'), 'segments'), 'to be corrupted')
    await cluster.collectors[0]?.start()
    await until('the warning', patienceMs, () => {
      const warnings = cluster.logged('c1', 'a segment is corrupt: what was stored there is lost')
      return warnings.length > 0 || undefined
    })
    appendFileSync(log, 'a third line\n')
    await corner.mirrors(log)
  })

  test('a corrupted checkpoint is counted, and nothing is lost', async () => {
    await using corner = new Corner(cluster, 'checkpoint')
    const log = corner.write('a.log', 'one line\n')
    await corner.agent.start()
    await corner.mirrors(log)
    await corner.agent.stop()
    const data = cluster.data('checkpoint')
    for (const name of readdirSync(data).filter((file) => file.startsWith('checkpoint'))) flipMiddle(join(data, name))
    appendFileSync(log, 'another line\n')
    await corner.agent.start()
    expect(await corner.logged('the checkpoint log was damaged')).toHaveLength(1)
    const whole = readFileSync(log)
    await until('a mirror of the whole file', patienceMs, () =>
      readMirrors(join(cluster.mirror, 'checkpoint')).mirrors.find((mirror) => readFileSync(mirror.path).equals(whole)),
    )
  })
})

const anonymous = 65_534

/** A program as a user without privileges: root may read everything. */
function asNobody(kind: ProgramKind, words: readonly string[]): [string, string[]] {
  const command = [process.execPath, ...nodeFlags, mainOf(kind), ...words]
  if (process.getuid?.() !== 0) return [command[0] ?? '', command.slice(1)]
  return ['setpriv', [`--reuid=${anonymous}`, `--regid=${anonymous}`, '--clear-groups', ...command]]
}

/** These directories belong to no one, and no one may walk to them. */
function giveToNobody(cluster: Cluster, directories: readonly string[]): void {
  for (const closed of [cluster.options.directory, join(cluster.options.directory, 'data')]) chmodSync(closed, 0o755)
  for (const directory of directories) chownSync(directory, anonymous, anonymous)
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
