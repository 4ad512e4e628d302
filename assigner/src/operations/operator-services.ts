// What an assigner does for operators and for its peers beside the assignment: commands, entry points, housekeeping. Each
// stands on a recipe of its own.

import { fifoQueue, type FifoQueue, type ZooKeeperSession } from '@catchment/coordination'
import { commandsWaitingMax, type TreePaths } from '@catchment/protocol'
import { Teardown, type Clock, type Log } from '@catchment/runtime'
import type { ControlLoop } from '../control/control-loop.ts'
import type { Lead, Leadership } from '../tree/leadership.ts'
import type { Observation } from '../tree/observation.ts'
import type { TreeCache } from '../tree/tree-cache.ts'
import { CommandExecutor } from './command-executor.ts'
import { CommandQueue } from './command-queue.ts'
import { EntryPoints } from './entry-points.ts'
import { Housekeeping } from './housekeeping.ts'

export interface OperatorServicesOptions {
  readonly id: string
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly cache: TreeCache
  readonly observation: Observation
  readonly leadership: Leadership
  readonly loop: ControlLoop
  readonly housekeepingIntervalMs: number
  readonly forgetAfterMs: number
  readonly clock: Clock
  readonly log: Log
}

export class OperatorServices {
  readonly commands: CommandQueue
  readonly entryPoints: EntryPoints
  readonly #executor: CommandExecutor
  readonly #housekeeping: Housekeeping
  readonly #teardown = new Teardown()

  constructor(options: OperatorServicesOptions) {
    const { session, paths, id } = options
    const openQueue = (): FifoQueue => fifoQueue(session, { path: paths.commands, itemsMax: commandsWaitingMax, id })
    const queue = openQueue()
    this.commands = new CommandQueue({ ...options, queue })
    this.entryPoints = new EntryPoints(options)
    this.#executor = new CommandExecutor({ ...options, openQueue })
    this.#housekeeping = new Housekeeping({ ...options, queue })
  }

  /** To be called when it answers at `url`. */
  start(url: string): void {
    this.#teardown.add('the execution of commands', () => this.#executor.close())
    this.entryPoints.start(url)
    this.#teardown.add('the announcement', () => this.entryPoints.close())
    this.#housekeeping.start()
    this.#teardown.add('housekeeping', () => this.#housekeeping.close())
  }

  lead(lead: Lead): void {
    this.#executor.start(lead)
  }

  async close(): Promise<void> {
    await this.#teardown.close()
  }
}
