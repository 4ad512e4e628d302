// The leader executes operators' commands, one after the other. What a command writes, its removal from the queue and its
// outcome are one transaction, fenced by the term: whichever assigner dies at whatever instant, a command is executed once. Everything
// before that transaction (others take over what a forgotten collector owns) may be begun again and leads to the same.

import { isCode, type FifoQueue, type Operation, type QueuedItem, type ZooKeeperSession } from '@catchment/coordination'
import {
  commandText,
  encodeZnode,
  type Admin,
  type Command,
  type CommandOutcome,
  type TreePaths,
} from '@catchment/protocol'
import { asError, Background, sleep, type Log } from '@catchment/runtime'
import { decodeCommand } from './command-queue.ts'
import type { ControlLoop } from '../control/control-loop.ts'
import { judge, withOutcome, type CommandVerdict } from './decide/commands.ts'
import type { Lead, Leadership } from '../tree/leadership.ts'
import type { Observation } from '../tree/observation.ts'
import type { Snapshot, TreeCache } from '../tree/tree-cache.ts'

/** How often a command is begun, be it because the tree changed meanwhile: it must not stand before the others for ever. */
const attemptsMax = 10
const retryDelayMs = 1_000

export interface CommandExecutorOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly id: string
  /** A new one for each taking: one that has been used may look past an item that went back. */
  readonly openQueue: () => FifoQueue
  readonly cache: TreeCache
  readonly observation: Observation
  readonly loop: ControlLoop
  readonly leadership: Leadership
  readonly log: Log
}

export class CommandExecutor {
  readonly #options: CommandExecutorOptions
  readonly #background: Background

  constructor(options: CommandExecutorOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.stack })
    })
  }

  /** Takes commands until the lead is over. */
  start(lead: Lead): void {
    this.#background.run('executing commands', async (closing) => {
      const signal = AbortSignal.any([lead.signal, closing])
      for (;;) {
        try {
          const item = await this.#options.openQueue().takeLocked({ signal })
          await this.#executeOrRelease(lead, item)
        } catch (thrown) {
          if (signal.aborted) return
          this.#options.log.warn('a command could not be executed, again soon', { reason: asError(thrown).message })
          await sleep(this.#options.session.clock, retryDelayMs, signal)
        }
      }
    })
  }

  async close(): Promise<void> {
    await this.#background.close()
  }

  async #executeOrRelease(lead: Lead, item: QueuedItem): Promise<void> {
    try {
      const command = decodeCommand(item.data, this.#options.log)
      if (command === undefined) await item.complete([lead.fence.check])
      else await this.#options.loop.exclusively(() => this.#execute(lead, item, command))
    } catch (thrown) {
      if (isFenced(thrown)) this.#options.leadership.deposed(lead)
      throw thrown
    } finally {
      await item.release()
    }
  }

  async #execute(lead: Lead, item: QueuedItem, command: Command): Promise<void> {
    const { cache, log, loop } = this.#options
    let snapshot = await cache.refresh({ sync: true })
    if (snapshot.outcomes.some(({ id }) => id === command.id)) {
      await item.complete([lead.fence.check]) // put twice, done once
      return
    }
    if (this.#judge(command, snapshot).kind === 'take-over') {
      await loop.takeOver(lead, command.target, commandText(command))
      snapshot = await cache.refresh({ sync: true })
    }
    const verdict = this.#judge(command, snapshot)
    const ending = endingOf(verdict, item.attempts)
    const effect = ending.outcome === 'done' ? this.#effect(verdict, command, snapshot) : []
    const outcome = this.#outcome(lead, command, ending, snapshot)
    await item.complete([lead.fence.check, ...effect, outcome])
    log.info('executed a command', { ...command, ...ending })
  }

  #judge(command: Command, { unreadable }: Snapshot): CommandVerdict {
    const { observation } = this.#options
    const obstacle =
      unreadable[0] === undefined ? observation.frozen : `nothing is planned: ${unreadable[0]} cannot be understood`
    return judge(command, observation.standpoint().collectors, obstacle)
  }

  #effect(verdict: CommandVerdict, command: Command, snapshot: Snapshot): Operation[] {
    const { paths, session } = this.#options
    const { target } = command
    const collector = snapshot.collectors.get(target)
    if (collector === undefined) return []
    const { adminVersion, listVersion } = collector
    const path = paths.admin(target)
    if (verdict.kind === 'want') {
      const admin: Admin = { want: verdict.want, at: session.clock.now(), why: commandText(command) }
      const data = encodeZnode(admin)
      return [adminVersion < 0 ? { op: 'create', path, data } : { op: 'set', path, data, version: adminVersion }]
    }
    if (verdict.kind !== 'forget') return []
    const admin: Operation[] = adminVersion < 0 ? [] : [{ op: 'delete', path, version: adminVersion }]
    return [...admin, { op: 'delete', path: paths.collector(target), version: listVersion }]
  }

  #outcome(lead: Lead, command: Command, ending: ReturnType<typeof endingOf>, snapshot: Snapshot): Operation {
    const { id, paths, session } = this.#options
    const { epoch } = snapshot.manifest
    const doneAt = session.clock.now()
    const outcome: CommandOutcome = { ...command, ...ending, doneAt, leader: id, term: lead.term, epoch }
    const data = encodeZnode(withOutcome(snapshot.outcomes, outcome))
    return { op: 'set', path: paths.outcomes, data, version: snapshot.outcomesVersion }
  }
}

function endingOf(verdict: CommandVerdict, attempts: number): Pick<CommandOutcome, 'outcome' | 'text'> {
  if (attempts > attemptsMax)
    return { outcome: 'failed', text: `it was begun ${attempts} times and never ended: see the logs of the assigners` }
  switch (verdict.kind) {
    case 'refuse':
      return { outcome: 'refused', text: verdict.text }
    case 'take-over':
      return { outcome: 'refused', text: 'what it owns could not be taken over by others' }
    case 'want':
    case 'forget':
      return { outcome: 'done', text: verdict.text }
  }
}

/** The fence is the first of what is committed with the end of an item. */
function isFenced(thrown: unknown): boolean {
  return isCode(thrown, 'bad-version', 'no-node') && thrown.operationIndex === fenceIndex
}
const fenceIndex = 0
