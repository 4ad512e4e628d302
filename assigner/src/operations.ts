// What an assigner does for operators and for its peers beside the assignment: commands, configuration, entry points,
// housekeeping. Each stands on a recipe of its own.

import { fifoQueue, type FifoQueue, type ZooKeeperSession } from '@catchment/coordination'
import { commandsWaitingMax, type TreePaths } from '@catchment/protocol'
import { Teardown, type Clock, type Log, type Route } from '@catchment/runtime'
import { Commanding } from './commanding.ts'
import { Commands } from './commands.ts'
import type { Configurations } from './configurations.ts'
import type { ControlLoop } from './control-loop.ts'
import { EntryPoints } from './entry-points.ts'
import { Housekeeping } from './housekeeping.ts'
import type { Lead } from './leadership.ts'
import type { Observation } from './observation.ts'
import { operatorRoutes } from './operator-routes.ts'
import type { TreeCache } from './tree-cache.ts'

export interface OperationsOptions {
  readonly id: string
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly cache: TreeCache
  readonly observation: Observation
  readonly loop: ControlLoop
  readonly configurations: Configurations
  /** Sync, and read what has changed. Rejects without ZooKeeper. */
  readonly refresh: () => Promise<void>
  readonly onFenced: (lead: Lead) => void
  readonly housekeepingIntervalMs: number
  readonly forgetAfterMs: number
  readonly clock: Clock
  readonly log: Log
}

export class Operations {
  readonly #options: OperationsOptions
  readonly #commands: Commands
  readonly #commanding: Commanding
  readonly #entryPoints: EntryPoints
  readonly #housekeeping: Housekeeping
  readonly #teardown = new Teardown()

  constructor(options: OperationsOptions) {
    const { session, paths, id } = options
    this.#options = options
    const openQueue = (): FifoQueue => fifoQueue(session, { path: paths.commands, itemsMax: commandsWaitingMax, id })
    const queue = openQueue()
    this.#commands = new Commands({ ...options, queue })
    this.#commanding = new Commanding({ ...options, openQueue })
    this.#entryPoints = new EntryPoints(options)
    this.#housekeeping = new Housekeeping({ ...options, queue })
  }

  /** To be called when it answers at `url`. */
  start(url: string): void {
    this.#teardown.add('the execution of commands', () => this.#commanding.close())
    this.#entryPoints.start(url)
    this.#teardown.add('the announcement', () => this.#entryPoints.close())
    this.#housekeeping.start()
    this.#teardown.add('housekeeping', () => this.#housekeeping.close())
  }

  lead(lead: Lead): void {
    this.#commanding.start(lead)
  }

  routes(ends: AbortSignal): Route[] {
    return operatorRoutes({
      submit: (request, signal) => this.#commands.submit(request, AbortSignal.any([signal, ends])),
      commands: () => this.#commands.list(),
      configurations: this.#options.configurations,
      entryPoints: () => this.#entryPoints.tell(),
    })
  }

  async close(): Promise<void> {
    await this.#teardown.close()
  }
}
