// What `up` does with its programs: who starts when, what a death means, and in which order all end. A program's life:
//
//   waiting ──▶ starting ──▶ ready ──▶ dead ──(10 s)──▶ starting …
//                  └──(died before it was ready, while `up` itself starts)──▶ the whole start has failed
//   any ──▶ ending ──▶ ended, stage by stage: agent, assigners, collectors, ZooKeeper

export type Role = 'zookeeper' | 'assigner' | 'collector' | 'agent'

export interface SupervisedProgram {
  readonly id: string
  readonly role: Role
}

type ProgramState =
  | { readonly name: 'waiting' }
  | { readonly name: 'starting'; readonly restart: boolean }
  | { readonly name: 'ready' }
  | { readonly name: 'dead'; readonly againAtMs: number }
  | { readonly name: 'ending'; readonly killed: boolean }
  | { readonly name: 'ended' }

type Phase =
  | { readonly name: 'starting'; readonly deadlineMs: number }
  | { readonly name: 'running' }
  | { readonly name: 'stopping'; readonly sinceMs: number; readonly stage: number }
  | { readonly name: 'stopped' }

export interface Supervision {
  readonly phase: Phase
  readonly members: readonly { readonly member: SupervisedProgram; readonly state: ProgramState }[]
}

export type SupervisionEvent =
  | { readonly type: 'ready'; readonly id: string }
  | { readonly type: 'exited'; readonly id: string }
  | { readonly type: 'stop' }
  /** Time went on: see `nextDeadlineMs`. */
  | { readonly type: 'tick' }

export type SupervisionEffect =
  | { readonly type: 'start'; readonly id: string }
  | { readonly type: 'terminate'; readonly id: string }
  | { readonly type: 'kill'; readonly id: string }
  | { readonly type: 'announceReady'; readonly id: string; readonly restart: boolean }
  | { readonly type: 'announceDeath'; readonly id: string; readonly againInMs: number }
  | { readonly type: 'announceUp' }
  /** The start as a whole failed because of this program: it died, or it was not ready in time. */
  | { readonly type: 'fail'; readonly id: string; readonly because: 'died' | 'late' }
  | { readonly type: 'stopped' }

export interface SupervisionDecision {
  readonly state: Supervision
  readonly effects: readonly SupervisionEffect[]
}

/** All programs together are ready within this, or `up` gives up. */
const startTimeoutMs = 30_000
/** How long a dead program stays away: long enough to watch its groups move, and short of the grace. */
export const restartDelayMs = 10_000
/** Who ends when, and when what has not ended is killed, counted from the beginning of the end. */
const stopStages: readonly { readonly role: Role; readonly killAfterMs: number }[] = [
  { role: 'agent', killAfterMs: 3_500 },
  { role: 'assigner', killAfterMs: 4_000 }, // before the collectors: it must not lend groups of those that leave
  { role: 'collector', killAfterMs: 6_500 },
  { role: 'zookeeper', killAfterMs: 7_000 },
]
/** `up` waits no longer than this for its programs to end; each ends by itself when its parent is gone. */
const stopTimeoutMs = 7_500
/** Who must be ready before a program starts for the first time. A restart does not wait: the others cope without it. */
const needs: Readonly<Record<Role, Role | undefined>> = {
  zookeeper: undefined,
  assigner: 'zookeeper',
  collector: 'zookeeper',
  agent: 'assigner',
}

/** The first decision: starts the programs that need no other. */
export function beginSupervision(members: readonly SupervisedProgram[], now: number): SupervisionDecision {
  const state: Supervision = {
    phase: { name: 'starting', deadlineMs: now + startTimeoutMs },
    members: members.map((member) => ({ member, state: { name: 'waiting' } })),
  }
  return startWhatCan(state)
}

/** `now` is monotonic. An event that means nothing in the present state changes nothing. */
export function supervise(state: Supervision, event: SupervisionEvent, now: number): SupervisionDecision {
  switch (event.type) {
    case 'ready':
      return onReady(state, event.id)
    case 'exited':
      return onExited(state, event.id, now)
    case 'stop':
      return stop(state, now)
    case 'tick':
      return onTick(state, now)
  }
}

/** When the next `tick` is due; undefined when nothing waits for time. */
export function nextDeadlineMs(state: Supervision): number | undefined {
  const { phase } = state
  if (phase.name === 'stopped') return undefined
  if (phase.name === 'stopping') {
    const undying = state.members.every(({ state: { name } }) => name !== 'ending')
    const stage = stopStages[phase.stage]
    const killed = state.members.some(({ state: member }) => member.name === 'ending' && member.killed)
    return phase.sinceMs + (stage === undefined || undying || killed ? stopTimeoutMs : stage.killAfterMs)
  }
  const deadlines = state.members.flatMap(({ state: member }) => (member.name === 'dead' ? [member.againAtMs] : []))
  if (phase.name === 'starting') deadlines.push(phase.deadlineMs)
  return deadlines.length === 0 ? undefined : Math.min(...deadlines)
}

function onReady(state: Supervision, id: string): SupervisionDecision {
  const current = stateOf(state, id)
  if (current?.name !== 'starting') return nothing(state)
  const announced: SupervisionEffect = { type: 'announceReady', id, restart: current.restart }
  const { state: next, effects } = startWhatCan(withMember(state, id, { name: 'ready' }))
  const allReady = next.members.every(({ state: member }) => member.name === 'ready')
  if (next.phase.name !== 'starting' || !allReady) return { state: next, effects: [announced, ...effects] }
  return { state: { ...next, phase: { name: 'running' } }, effects: [announced, ...effects, { type: 'announceUp' }] }
}

function onExited(state: Supervision, id: string, now: number): SupervisionDecision {
  const current = stateOf(state, id)
  if (current === undefined || state.phase.name === 'stopped') return nothing(state)
  if (state.phase.name === 'stopping') return nextStage(withMember(state, id, { name: 'ended' }), now)
  const firstStartFailed = state.phase.name === 'starting' && current.name === 'starting'
  if (firstStartFailed) return giveUp(withMember(state, id, { name: 'ended' }), id, 'died', now)
  return {
    state: withMember(state, id, { name: 'dead', againAtMs: now + restartDelayMs }),
    effects: [{ type: 'announceDeath', id, againInMs: restartDelayMs }],
  }
}

function onTick(state: Supervision, now: number): SupervisionDecision {
  if (state.phase.name === 'stopped') return nothing(state)
  if (state.phase.name === 'stopping') return killLate(state, now)
  if (state.phase.name === 'starting' && now >= state.phase.deadlineMs) {
    const late = state.members.find(({ state: member }) => member.name !== 'ready')
    if (late !== undefined) return giveUp(state, late.member.id, 'late', now)
  }
  const due = state.members.filter(({ state: member }) => member.name === 'dead' && member.againAtMs <= now)
  return startThose(state, due, true)
}

function giveUp(state: Supervision, id: string, because: 'died' | 'late', now: number): SupervisionDecision {
  const stopping = stop(state, now)
  return { state: stopping.state, effects: [{ type: 'fail', id, because }, ...stopping.effects] }
}

function stop(state: Supervision, now: number): SupervisionDecision {
  if (state.phase.name === 'stopping' || state.phase.name === 'stopped') return nothing(state)
  const members = state.members.map(({ member, state: current }) => ({
    member,
    state: isAlive(current) ? current : ({ name: 'ended' } as const),
  }))
  return nextStage({ phase: { name: 'stopping', sinceMs: now, stage: -1 }, members }, now)
}

/** Goes on to the next role that has someone alive, once the present one has ended; after the last, all is done. */
function nextStage(state: Supervision, now: number): SupervisionDecision {
  if (state.phase.name !== 'stopping' || state.members.some(({ state: member }) => member.name === 'ending'))
    return nothing(state)
  const stage = stopStages.findIndex(({ role }) =>
    state.members.some(({ member, state: current }) => member.role === role && isAlive(current)),
  )
  const role = stopStages[stage]?.role
  if (role === undefined) return { state: { ...state, phase: { name: 'stopped' } }, effects: [{ type: 'stopped' }] }
  const ending = state.members.filter(({ member, state: current }) => member.role === role && isAlive(current))
  let next: Supervision = { ...state, phase: { ...state.phase, stage } }
  for (const { member } of ending) next = withMember(next, member.id, { name: 'ending', killed: false })
  const effects = ending.map(({ member }): SupervisionEffect => ({ type: 'terminate', id: member.id }))
  const late = killLate(next, now)
  return { state: late.state, effects: [...effects, ...late.effects] }
}

function killLate(state: Supervision, now: number): SupervisionDecision {
  if (state.phase.name !== 'stopping') return nothing(state)
  if (now >= state.phase.sinceMs + stopTimeoutMs)
    return { state: { ...state, phase: { name: 'stopped' } }, effects: [{ type: 'stopped' }] }
  const stage = stopStages[state.phase.stage]
  if (stage === undefined || now < state.phase.sinceMs + stage.killAfterMs) return nothing(state)
  const late = state.members.filter(({ state: member }) => member.name === 'ending' && !member.killed)
  let next = state
  for (const { member } of late) next = withMember(next, member.id, { name: 'ending', killed: true })
  return { state: next, effects: late.map(({ member }) => ({ type: 'kill', id: member.id })) }
}

function startWhatCan(state: Supervision): SupervisionDecision {
  const can = state.members.filter(({ member, state: current }) => {
    const need = needs[member.role]
    const served = state.members.every(({ member: other, state: { name } }) => other.role !== need || name === 'ready')
    return current.name === 'waiting' && (need === undefined || served)
  })
  return startThose(state, can, false)
}

function startThose(state: Supervision, those: Supervision['members'], restart: boolean): SupervisionDecision {
  let next = state
  for (const { member } of those) next = withMember(next, member.id, { name: 'starting', restart })
  return { state: next, effects: those.map(({ member }) => ({ type: 'start', id: member.id })) }
}

function isAlive(state: ProgramState): boolean {
  return state.name === 'starting' || state.name === 'ready' || state.name === 'ending'
}

function stateOf(state: Supervision, id: string): ProgramState | undefined {
  return state.members.find(({ member }) => member.id === id)?.state
}

function withMember(state: Supervision, id: string, next: ProgramState): Supervision {
  return {
    ...state,
    members: state.members.map((entry) => (entry.member.id === id ? { member: entry.member, state: next } : entry)),
  }
}

function nothing(state: Supervision): SupervisionDecision {
  return { state, effects: [] }
}
