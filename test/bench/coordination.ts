// What coordination costs, on our ZooKeeper server and on the real one: operations, a lock that no one else wants, hand-over
// of an election, ten thousand watches and children, memory. One client; kazoo (python3-kazoo) beside it where it is
// installed.
//
//   npm run -s bench:coordination [-- --quick] [-- --json]

import { mkdtemp, rm } from 'node:fs/promises'
import { spawnSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusiveLock, joinElection, openSession, type ZooKeeperSession } from '@catchment/coordination'
import { realClock, realRandom } from '@catchment/runtime'
import { finish, median, progress, quantile, quick, report, type Figure } from './figures.ts'
import { residentMb, startServers, type MeasuredServer } from './zookeeper-servers.ts'

const bench = 'coordination'
const rounds = quick ? 4_000 : 20_000
const repeats = quick ? 1 : 5
const window = 512
const many = 10_000
const handOvers = quick ? 10 : 50
const data = new Uint8Array(100).fill(120)
const kazooScript = fileURLToPath(new URL('peers/kazoo-operations.py', import.meta.url))

const directory = await mkdtemp(join(tmpdir(), 'catchment-bench-'))
const servers = await startServers(directory)
try {
  for (const server of servers) {
    progress(`on ${server.system === 'catchment' ? 'our server' : 'the real ZooKeeper'}`)
    const session = await open(server)
    await session.ensurePath('/bench/node')
    await operations(server, session)
    kazoo(server)
    await children(server, session)
    await watches(server, session)
    await elections(server)
    await session.close()
    show(server, {
      case: 'memory',
      metric: 'resident, server with all of it',
      value: residentMb(server.pid),
      unit: 'MB',
    })
  }
} finally {
  for (const server of servers) await server.stop()
  await rm(directory, { recursive: true, force: true })
}
finish()

function open({ address }: MeasuredServer): Promise<ZooKeeperSession> {
  return openSession({ servers: address, sessionTimeoutMs: 30_000, clock: realClock, random: realRandom })
}

function show({ system }: MeasuredServer, figure: Omit<Figure, 'bench' | 'system' | 'bar' | 'holds'>): void {
  report({ bench, system, ...figure })
}

async function operations(server: MeasuredServer, session: ZooKeeperSession): Promise<void> {
  const four = Array.from({ length: 4 }, () => ({ op: 'set', path: '/bench/node', data, version: 'any' }) as const)
  const cases: Readonly<Record<string, (number: number) => Promise<unknown>>> = {
    get: () => session.get('/bench/node'),
    set: () => session.set('/bench/node', data, 'any'),
    create: () => session.create('/bench/child-', data, 'persistent-sequential'),
    'multi of 4 sets': () => session.multi(four),
  }
  for (const [name, one] of Object.entries(cases)) {
    await rate(server, { name: `${name}, pipelined`, inFlight: window, count: rounds }, one)
    await rate(server, { name: `${name}, one by one`, inFlight: 1, count: rounds / 10 }, one)
  }
  const lock = exclusiveLock(session, { path: '/bench/lock', id: 'bench' })
  await rate(server, { name: 'lock taken and given back', inFlight: 1, count: rounds / 10 }, async () => {
    await (await lock.acquire()).release()
  })
}

async function rate(
  server: MeasuredServer,
  { name, inFlight, count }: { name: string; inFlight: number; count: number },
  one: (number: number) => Promise<unknown>,
): Promise<void> {
  await inWindow(Math.min(count, 1_000), inFlight, one) // warms up
  const rates: number[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const seconds = await timed(() => inWindow(count, inFlight, one))
    rates.push(count / seconds)
  }
  show(server, { case: name, metric: 'operations, median', value: median(rates), unit: '1/s' })
}

/** Calls `one` `count` times, at most `inFlight` at once. */
async function inWindow(count: number, inFlight: number, one: (number: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let number = next++; number < count; number = next++) await one(number)
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
}

function kazoo(server: MeasuredServer): void {
  const { status, stdout, stderr } = spawnSync(
    '/usr/bin/python3', // Debian's, for which python3-kazoo is
    [kazooScript, server.address, String(rounds / 4), String(window)],
    {
      encoding: 'utf8',
    },
  )
  if (status !== 0) {
    progress(`kazoo did not run (${stderr.trim().split('\n').at(-1) ?? 'no python3'}): left out`)
    return
  }
  for (const line of stdout.trim().split('\n')) {
    const { case: name, value } = JSON.parse(line) as { case: string; value: number }
    const system = server.system === 'catchment' ? 'kazoo on catchment' : 'kazoo on zookeeper'
    report({ bench, case: name, system, metric: 'operations', value, unit: '1/s' })
  }
}

async function children(server: MeasuredServer, session: ZooKeeperSession): Promise<void> {
  await session.ensurePath('/bench/many')
  await inWindow(many, window, (number) => session.create(`/bench/many/${number}`, data))
  const took: number[] = []
  for (let repeat = 0; repeat < 2 * repeats + 1; repeat += 1) {
    const seconds = await timed(async () => {
      const { names } = await session.children('/bench/many')
      if (names.length !== many) throw new Error(`${names.length} children instead of ${many}`)
    })
    took.push(seconds * 1_000)
  }
  show(server, { case: '10,000 children', metric: 'listed, median', value: median(took), unit: 'ms' })
}

async function watches(server: MeasuredServer, session: ZooKeeperSession): Promise<void> {
  const watcher = await open(server)
  const before = process.memoryUsage().rss
  let heard = 0
  let allTold: () => void = () => undefined
  const watch = (): void => {
    heard += 1
    if (heard === many) allTold()
  }
  const set = await timed(() => inWindow(many, window, (number) => watcher.get(`/bench/many/${number}`, { watch })))
  show(server, { case: '10,000 watches', metric: 'set', value: set * 1_000, unit: 'ms' })
  show(server, {
    case: '10,000 watches',
    metric: 'resident, client',
    value: (process.memoryUsage().rss - before) / 2 ** 20,
    unit: 'MB',
  })
  const fired = await timed(async () => {
    const all = new Promise<void>((resolve) => (allTold = resolve))
    await inWindow(many, window, (number) => session.set(`/bench/many/${number}`, data, 'any'))
    await all
  })
  show(server, { case: '10,000 watches', metric: 'changed and reported', value: fired * 1_000, unit: 'ms' })
  await watcher.close()
}

/** From the moment at which the leader begins to resign until the next one is notified that it leads. */
async function elections(server: MeasuredServer): Promise<void> {
  const took: number[] = []
  const sessions = [await open(server), await open(server)]
  let elected: (() => void) | undefined
  const stand = (session: ZooKeeperSession, id: string): ReturnType<typeof joinElection> =>
    joinElection(session, {
      path: '/bench/election',
      id,
      onElected: () => elected?.(),
      onDeposed: () => undefined,
    })
  const [one, two] = sessions
  if (one === undefined || two === undefined) return
  let leading = await standing(() => stand(one, 'a'))
  for (let hand = 0; hand < handOvers; hand += 1) {
    const next = stand(hand % 2 === 0 ? two : one, 'b')
    await settle()
    const seconds = await timed(async () => {
      const handed = new Promise<void>((resolve) => (elected = resolve))
      await Promise.all([leading.resign(), handed])
    })
    took.push(seconds * 1_000)
    leading = next
  }
  await leading.resign()
  for (const session of sessions) await session.close()
  show(server, { case: 'election hand-over', metric: 'median', value: median(took), unit: 'ms' })
  show(server, { case: 'election hand-over', metric: '95th percentile', value: quantile(took, 0.95), unit: 'ms' })

  async function standing(begin: () => ReturnType<typeof joinElection>): Promise<ReturnType<typeof joinElection>> {
    const heard = new Promise<void>((resolve) => (elected = resolve))
    const election = begin()
    await heard
    return election
  }

  /** Until the next one stands in line. */
  async function settle(): Promise<void> {
    for (;;) {
      const { names } = await (sessions[0]?.children('/bench/election') ?? Promise.reject(new Error('no session')))
      if (names.length === 2) return
    }
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const started = performance.now()
  await work()
  return (performance.now() - started) / 1_000
}
