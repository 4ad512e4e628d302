import { expect } from '@jest/globals'
import type { Collector, Move, Plan, Situation } from '../src/index.ts'
import { applied } from './situations.ts'

type Admins = ReadonlyMap<string, Collector['admin']>

function forcedReason(from: string | undefined, admins: Admins): string | undefined {
  if (from === undefined) return 'new'
  const admin = admins.get(from)
  if (admin === undefined) return 'orphan'
  return admin === 'drain' ? 'drain' : undefined
}

function faultOf({ from, to, why }: Move, before: string | undefined, admins: Admins): string | undefined {
  if (admins.get(to) !== 'serve') return 'to one that does not serve'
  if (from !== before || to === from) return 'from the wrong one'
  if (from !== undefined && admins.get(from) === 'cordon') return 'from a cordoned one'
  const forced = forcedReason(from, admins)
  if (forced !== undefined) return why === forced ? undefined : `must be ${forced}`
  return ['join', 'balance', 'global', 'ring'].includes(why) ? undefined : 'is not forced'
}

/** What holds for every plan of every strategy (one assertion a plan, as there are many). Returns what it leads to. */
export function expectSound(situation: Situation, plan: Plan): Situation {
  const admins: Admins = new Map(situation.collectors.map(({ id, admin }) => [id, admin]))
  const before = new Map(situation.groups.map(({ name, server }) => [name, server]))
  const faults: unknown[] = []
  for (const move of plan.moves) {
    const fault = faultOf(move, before.get(move.group), admins)
    if (fault !== undefined) faults.push({ fault, ...move })
  }
  const after = applied(situation, plan)
  const unplaced = new Set(plan.unplaced)
  const someServes = [...admins.values()].includes('serve')
  for (const { name, server } of after.groups) {
    const admin = server === undefined ? undefined : admins.get(server)
    const isPlaced = admin === 'serve' || admin === 'cordon'
    if (unplaced.has(name) === isPlaced || (!isPlaced && someServes)) faults.push({ fault: 'not placed', name, server })
  }
  const names = new Set(plan.moves.map(({ group }) => group))
  expect({ faults, moves: plan.moves.length }).toEqual({ faults: [], moves: names.size })
  return after
}
