// Operators' commands as every assigner takes them: put into the queue, from which the leader takes them, and waited for.

import type { FifoQueue, ZooKeeperSession } from '@catchment/coordination'
import {
  commandSchema,
  commandsToldMax,
  parseJson,
  ProtocolError,
  type Command,
  type CommandAnswer,
  type CommandOutcome,
  type CommandRequest,
  type CommandsAnswer,
} from '@catchment/protocol'
import { CatchmentError, type Clock, type Log } from '@catchment/runtime'
import { unknownText } from './decide/commands.ts'
import type { Observation } from '../tree/observation.ts'
import type { TreeCache } from '../tree/tree-cache.ts'

/** An operator waits for it, and silence would not show whether ZooKeeper is slow or dead. */
export const callTimeoutMs = 8_000

export interface CommandQueueOptions {
  readonly session: ZooKeeperSession
  readonly queue: FifoQueue
  readonly observation: Observation
  readonly cache: TreeCache
  readonly clock: Clock
  readonly log: Log
}

export class CommandQueue {
  readonly #options: CommandQueueOptions

  constructor(options: CommandQueueOptions) {
    this.#options = options
  }

  /**
   * Puts the command into the queue, unless one of its id was put before, and waits for its outcome, at most as long as is
   * asked. Throws CatchmentError `unknown-collector` (the peer's), `overloaded` and others that pass.
   */
  async submit({ waitMs, ...asked }: CommandRequest, signal: AbortSignal): Promise<CommandAnswer> {
    const { cache, clock, observation, queue } = this.#options
    const command: Command = { ...asked, at: clock.now() }
    await cache.catchUp()
    if (this.#outcomeOf(command) === undefined && !(await this.#isWaiting(command))) {
      const known = [...observation.standpoint().collectors.keys()]
      if (!known.includes(command.target))
        throw new CatchmentError('unknown-collector', unknownText(command.target, known), { blame: 'peer' })
      await queue.put(encodeCommand(command), { signal, timeoutMs: callTimeoutMs })
    }
    const outcome = await this.#await(command, waitMs, signal)
    return { command, ...(outcome !== undefined && { outcome }) }
  }

  async list(): Promise<CommandsAnswer> {
    const { cache, observation, queue } = this.#options
    await cache.catchUp()
    const [waitingCount, waiting] = await Promise.all([queue.size({ timeoutMs: callTimeoutMs }), this.#waiting()])
    return { waiting, waitingCount, outcomes: [...(observation.snapshot?.outcomes ?? [])] }
  }

  async #await(command: Command, waitMs: number, signal: AbortSignal): Promise<CommandOutcome | undefined> {
    const { clock, observation } = this.#options
    const untilMs = clock.monotonicMs() + waitMs
    for (;;) {
      const outcome = this.#outcomeOf(command)
      const leftMs = untilMs - clock.monotonicMs()
      if (outcome !== undefined || leftMs <= 0) return outcome
      await observation.changed(leftMs, signal)
    }
  }

  #outcomeOf({ id }: Command): CommandOutcome | undefined {
    return this.#options.observation.snapshot?.outcomes.find((outcome) => outcome.id === id)
  }

  async #isWaiting({ id }: Command): Promise<boolean> {
    return (await this.#waiting()).some((waiting) => waiting.id === id)
  }

  async #waiting(): Promise<Command[]> {
    const items = await this.#options.queue.items({ max: commandsToldMax, timeoutMs: callTimeoutMs })
    return items.flatMap(({ data }) => decodeCommand(data, this.#options.log) ?? [])
  }
}

export function encodeCommand(command: Command): Buffer {
  return Buffer.from(JSON.stringify(command))
}

/** Undefined, and logged, for an item that is no command. */
export function decodeCommand(data: Buffer, log: Log): Command | undefined {
  try {
    return parseJson(commandSchema, data.toString(), 'an item of the queue of commands')
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown
    log.warn('cannot understand a command in the queue', { reason: thrown.message })
    return undefined
  }
}
