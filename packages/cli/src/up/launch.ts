// What `up` runs: the programs, where each keeps its data, and the words that start it. Pure.

import { join } from 'node:path'
import type { SupervisedProgram } from '../decide/supervision.ts'

const sessionTimeoutMs = 4_000
const treeRoot = '/logs'

export interface Layout {
  readonly data: string
  /** The mirror that all collectors fill. */
  readonly out: string
  readonly logs: string
  readonly compileCache: string
}

export interface LaunchPlan {
  readonly layout: Layout
  readonly globs: readonly string[]
  /** `HOST:PORT` of the first assigner. */
  readonly listen: string
  readonly members: readonly SupervisedProgram[]
  /** What all collectors together may keep. */
  readonly diskBytesMax: number
}

/** Where the programs answered when they were ready last; a restart takes the same addresses again. */
export type Addresses = ReadonlyMap<string, { readonly url: string | undefined; readonly port: number | undefined }>

export function layoutOf(data: string): Layout {
  return {
    data,
    out: join(data, 'out'),
    logs: join(data, 'logs'),
    compileCache: join(data, 'cache', 'compiled'),
  }
}

/** One ZooKeeper, assigners a1…, collectors c1…, one agent that bears the host's name. */
export function membersOf(
  counts: { assigners: number; collectors: number },
  host: string,
): readonly SupervisedProgram[] {
  const numbered = (letter: string, role: 'assigner' | 'collector', count: number): SupervisedProgram[] =>
    Array.from({ length: count }, (_, index) => ({ id: `${letter}${index + 1}`, role }))
  const others: SupervisedProgram[] = [
    { id: 'zookeeper', role: 'zookeeper' },
    ...numbered('a', 'assigner', counts.assigners),
    ...numbered('c', 'collector', counts.collectors),
  ]
  return [...others, { id: agentId(host, new Set(others.map(({ id }) => id))), role: 'agent' }]
}

/** The words after the program's file. Throws where it starts before what it needs to know. */
export function wordsOf(member: SupervisedProgram, plan: LaunchPlan, addresses: Addresses): readonly string[] {
  return [...ownWords(member, plan, addresses), '--json', '--exit-with-stdin']
}

function ownWords(member: SupervisedProgram, plan: LaunchPlan, addresses: Addresses): readonly string[] {
  const { layout } = plan
  switch (member.role) {
    case 'zookeeper': {
      const port = addresses.get(member.id)?.port ?? 0
      return ['--data', join(layout.data, 'zookeeper'), '--port', String(port)]
    }
    case 'assigner': {
      const listen = listenAgain(addresses.get(member.id)?.url) ?? (member.id === 'a1' ? plan.listen : '127.0.0.1:0')
      return [...ofTheCluster(member, plan, addresses), '--listen', listen]
    }
    case 'collector': {
      const collectors = plan.members.filter(({ role }) => role === 'collector').length
      return [
        ...ofTheCluster(member, plan, addresses),
        ...['--listen', '127.0.0.1:0'],
        ...['--data', join(layout.data, 'collectors', member.id)],
        ...['--mirror', layout.out],
        ...['--disk-max', String(Math.floor(plan.diskBytesMax / collectors))],
      ]
    }
    case 'agent':
      return [
        ...['--assigner', assignerUrls(plan.members, addresses).join(',')],
        ...['--id', member.id],
        ...['--group', '{file}'],
        ...['--data', join(layout.data, 'agent')],
        ...['--exclude', layout.data],
        ...['--follow', ...plan.globs],
      ]
  }
}

export function assignerUrls(members: readonly SupervisedProgram[], addresses: Addresses): readonly string[] {
  return members.flatMap(({ id, role }) => {
    const url = role === 'assigner' ? addresses.get(id)?.url : undefined
    return url === undefined ? [] : [url]
  })
}

function ofTheCluster(member: SupervisedProgram, plan: LaunchPlan, addresses: Addresses): readonly string[] {
  const zookeeper = plan.members.find(({ role }) => role === 'zookeeper')
  const port = zookeeper === undefined ? undefined : addresses.get(zookeeper.id)?.port
  if (port === undefined) throw new Error(`${member.id} cannot start: ZooKeeper has not reported its port yet`)
  return [
    ...['--zookeeper', `127.0.0.1:${port}`],
    ...['--root', treeRoot],
    ...['--id', member.id],
    ...['--session-timeout', String(sessionTimeoutMs)],
  ]
}

function listenAgain(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).host
}

/** A host's name as a member's id: what an id may not hold becomes `-`; one that is taken gets a `host-` before it. */
function agentId(host: string, taken: ReadonlySet<string>): string {
  const cleaned = host
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .slice(0, 58)
    .replace(/^[.-]+/, '')
    .replace(/[.-]+$/, '')
  const id = cleaned === '' ? 'localhost' : cleaned
  return taken.has(id) ? `host-${id}` : id
}
