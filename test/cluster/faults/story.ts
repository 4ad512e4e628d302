// The whole system under SIGKILL, on the embedded or on the real ZooKeeper: writers append and rotate, every two
// seconds something is killed, and at the end nothing is missing, doubled or out of order.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { full, patienceMs, seededRandom, startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { Cluster, type Member } from '../programs/cluster.ts'
import { checkSegments, matchGenerations, readMirrors } from '../programs/oracle.ts'
import { resentPerKill } from './resent.ts'
import { pause, storyMs, until } from '../programs/until.ts'
import { Writer } from '../programs/writer.ts'

const seconds = full ? 300 : 30
export const killsTimeoutMs = seconds * 1000 + storyMs
const killEveryMs = 2000
const rotateEveryMs = 7000
const sessionTimeoutMs = 4000
const seed = 20_26

/** Nothing is lost, doubled or reordered while members are killed every two seconds. */
export async function surviveKills(server: 'embedded' | 'real'): Promise<void> {
  await using stack = new AsyncDisposableStack()
  const { cluster, writers } = await begin(server, stack)
  const kills = await killForAWhile(cluster, writers)

  const generations = writers.flatMap((writer) => writer.generations())
  const matched = await until(
    'every mirror to equal its file',
    2 * patienceMs,
    () => {
      const { mirrors, sidecars } = readMirrors(cluster.mirror)
      if (sidecars.length > 0) throw new Error(`not yet delivered: ${sidecars.join(', ')}`)
      return matchGenerations(generations, mirrors)
    },
    500,
  )
  await cluster.stop()

  const { doubled } = await checkSegments(
    cluster.collectors.map((collector) => cluster.data(collector.id)),
    matched,
  )
  expectResentBounded(cluster, kills)
  expect(doubled).toBeLessThanOrEqual(kills.length * windowBytes * writers.length)
  expectTermsGrew(cluster, kills)
  expect(kills.filter((kill) => kill.role === 'collector').length).toBeGreaterThanOrEqual(5)
  expect(kills.filter((kill) => kill.role === 'agent').length).toBeGreaterThanOrEqual(3)
}

/** What an agent may have sent of one stream without an answer, and so may send again: its window, in raw bytes. */
const windowBytes = 4 * 1024 * 1024
/** What a writer of this test appends in 300 ms, twice the interval of checkpoints. */
const checkpointBytes = 500_000

interface Kill {
  readonly role: 'collector' | 'leader' | 'agent'
  readonly id: string
  readonly term: number
  readonly at: number
}

async function begin(
  server: 'embedded' | 'real',
  stack: AsyncDisposableStack,
): Promise<{ cluster: Cluster; writers: Writer[] }> {
  const directory = stack.use(await tempDirectory())
  const logs = join(directory.path, 'written')
  mkdirSync(logs)
  const zookeeper =
    server === 'real'
      ? stack.use(await startRealZooKeeper({ directory: join(directory.path, 'zookeeper') }))
      : undefined
  const cluster = stack.use(
    new Cluster({
      directory: directory.path,
      ...(zookeeper !== undefined && { zookeeper: zookeeper.address }),
      assigners: 2,
      collectors: 3,
      agentArgs: ['--group', '{file}', '--follow', join(logs, '*.log'), '--log-level', 'debug'],
      sessionTimeoutMs,
      graceMs: 5000,
    }),
  )
  const writers = ['web', 'db', 'queue'].map((name) => stack.use(new Writer(logs, name)))
  await cluster.start()
  await cluster.agent.start()
  return { cluster, writers }
}

/** Writes, rotates and kills; every victim is started again one to three seconds later. */
async function killForAWhile(cluster: Cluster, writers: readonly Writer[]): Promise<Kill[]> {
  const random = seededRandom(seed)
  const kills: Kill[] = []
  const revivals: Promise<void>[] = []
  const roles = ['collector', 'leader', 'collector', 'agent', 'collector'] as const
  const writing = setInterval(() => {
    for (const writer of writers) writer.append(40 + Math.floor(random.float() * 80))
  }, 20)
  const rotating = setInterval(() => {
    for (const writer of writers) writer.rotate()
  }, rotateEveryMs)
  try {
    for (let round = 0; round < (seconds * 1000) / killEveryMs; round += 1) {
      await pause(killEveryMs)
      const role = roles[round % roles.length] ?? 'collector'
      const victim = await pick(cluster, role, random.float())
      const at = Date.now()
      await victim.member.kill()
      kills.push({ role, id: victim.member.id, term: victim.term, at })
      revivals.push(pause(1000 + random.float() * 2000).then(() => victim.member.start()))
    }
  } finally {
    clearInterval(writing)
    clearInterval(rotating)
    await Promise.all(revivals)
  }
  return kills
}

/** Who dies next; waits until there is one: those killed before may still be starting. */
async function pick(cluster: Cluster, role: Kill['role'], draw: number): Promise<{ member: Member; term: number }> {
  return until(`a ${role} that lives`, patienceMs, async () => {
    if (role === 'agent') return cluster.agent.alive ? { member: cluster.agent, term: 0 } : undefined
    if (role === 'collector') {
      const alive = cluster.collectors.filter((collector) => collector.alive)
      const member = alive[Math.floor(draw * alive.length)]
      return member && { member, term: 0 }
    }
    // With another that can follow: a leader that returns before there is one would follow itself.
    if (!cluster.assigners.every(({ alive }) => alive)) return undefined
    const { leader, assigners } = await cluster.tree()
    const member = cluster.assigners.find(({ id }) => id === leader?.id)
    if (leader === undefined || member === undefined || assigners.length < cluster.assigners.length) return undefined
    return { member, term: leader.term }
  })
}

/** Each leader that was killed is followed by a higher term under another id. */
function expectTermsGrew(cluster: Cluster, kills: readonly Kill[]): void {
  const led = cluster.assigners
    .flatMap(({ id }) => cluster.logged(id, 'leading').map((line) => ({ id, term: Number(line['term']) })))
    .toSorted((a, b) => a.term - b.term)
  const leaders = kills.filter((kill) => kill.role === 'leader')
  expect(leaders.length).toBeGreaterThanOrEqual(3)
  for (const kill of leaders) expect(led.find((lead) => lead.term > kill.term)?.id).not.toBe(kill.id)
  expect(new Set(led.map((lead) => lead.term)).size).toBe(led.length)
}

/** No kill made an agent send more of a stream again than its window and what a checkpoint interval adds. */
function expectResentBounded(cluster: Cluster, kills: readonly Kill[]): void {
  const resent = resentPerKill(
    cluster,
    kills.map((kill) => kill.at),
  ).flat()
  expect(resent.length).toBeGreaterThan(0) // the log did report
  for (const { bytes } of resent) expect(bytes).toBeLessThanOrEqual(windowBytes + checkpointBytes)
}
