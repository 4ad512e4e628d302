// How long a dead collector's groups wait: from its SIGKILL until a line written after that moment is acknowledged by
// another collector, for each of its groups. Real processes, lines written all the while.
//
//   npm run bench:failover [-- --quick] [-- --json]

import { mkdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster, type Member } from '../cluster/programs/cluster.ts'
import { pause, until } from '../cluster/programs/until.ts'
import { Writer } from '../cluster/programs/writer.ts'
import { finish, median, progress, quantile, quick, report } from './figures.ts'

const bench = 'failover'
const runs = quick ? 3 : 20
const groups = 6
const sessionTimeoutMs = 4000

const directory = await mkdtemp(join(tmpdir(), 'catchment-bench-'))
const logs = join(directory, 'written')
mkdirSync(logs)
const writers = Array.from({ length: groups }, (_, index) => new Writer(logs, `app-${index}`))
const cluster = new Cluster({
  directory,
  assigners: 2,
  collectors: 3,
  agentArgs: ['--group', '{file}', '--follow', join(logs, '*.log'), '--log-level', 'debug'],
  sessionTimeoutMs,
})
const writing = setInterval(() => {
  for (const writer of writers) writer.append(2)
}, 5)
try {
  await cluster.start()
  await cluster.agent.start()
  const first: number[] = []
  const all: number[] = []
  for (let run = 1; run <= runs; run += 1) {
    const waits = await killOne(await busiest())
    first.push(Math.min(...waits))
    all.push(Math.max(...waits))
    progress(`run ${run} of ${runs}: ${waits.length} groups, ${waits.map((wait) => wait.toFixed(0)).join(', ')} ms`)
  }
  show('first group', first)
  show('all groups', all)
} finally {
  clearInterval(writing)
  for (const writer of writers) writer[Symbol.dispose]()
  await cluster.stop()
  await rm(directory, { recursive: true, force: true })
}
finish()

function show(name: string, waits: readonly number[]): void {
  const base = { bench, case: name, system: 'catchment', unit: 'ms' }
  report({ ...base, metric: 'median', value: median(waits) }, { max: sessionTimeoutMs })
  report({ ...base, metric: '95th percentile', value: quantile(waits, 0.95) })
  report({ ...base, metric: 'max', value: Math.max(...waits) })
}

/** Kills a collector; resolves with the wait of each of its groups, in ms, when it has its groups back. */
async function killOne(victim: { member: Member; groups: readonly string[] }): Promise<number[]> {
  const sizes = new Map(victim.groups.map((group) => [group, acknowledged(group, 0).at(-1)?.to ?? 0]))
  const killedAt = Date.now()
  await victim.member.kill()
  const waits = await until('an acknowledgement elsewhere', 60_000, () => {
    const found = victim.groups.map((group) => {
      const next = acknowledged(group, killedAt).find(({ to }) => to > (sizes.get(group) ?? 0))
      return next === undefined ? undefined : next.at - killedAt
    })
    return found.every((wait) => wait !== undefined) ? found : undefined
  })
  await victim.member.start()
  await until('its groups to return', 60_000, async () =>
    (await served(victim.member.id)).length >= victim.groups.length ? true : undefined,
  )
  await pause(1000) // so that the agent has followed, and runs do not lean on each other
  return waits
}

/** A collector that serves groups; each in turn where several do. */
async function busiest(): Promise<{ member: Member; groups: string[] }> {
  return until('a collector that serves', 60_000, async () => {
    const turns = cluster.collectors.splice(0, 1)
    cluster.collectors.push(...turns)
    const [member] = turns
    const own = member === undefined ? [] : await served(member.id)
    return member === undefined || own.length === 0 ? undefined : { member, groups: own }
  })
}

async function served(id: string): Promise<string[]> {
  const { collectors } = await cluster.tree()
  const own = collectors.find((collector) => collector.id === id)
  return (own?.groups ?? []).filter(({ how }) => how !== 'lent').map(({ group }) => group)
}

interface Acknowledged {
  readonly at: number
  readonly to: number
}

/** What the agent has logged as acknowledged for a group since `since`. */
function acknowledged(group: string, since: number): Acknowledged[] {
  return cluster
    .logged('agent-1', 'acknowledged')
    .filter((line) => line['group'] === group)
    .map((line) => ({ at: Date.parse(String(line['at'])), to: Number(line['to']) }))
    .filter(({ at }) => at >= since)
}
