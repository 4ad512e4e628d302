// What this collector knows of its list of groups. It is kept on disk too: cut off from ZooKeeper, what is assigned keeps flowing.

import { join } from 'node:path'
import { collectorListSchema, emptyCollectorList, parseJson, type CollectorList } from '@catchment/protocol'
import { asError, Background, writeFileDurably, type Clock, type Log } from '@catchment/runtime'
import { jsonVersions } from '../segments/data-formats.ts'
import { textIfThere } from '../segments/text-file.ts'

/** At most one refresh a second: an agent with a wrong epoch must not become load on ZooKeeper. */
export const refreshIntervalMs = 1000

export interface AssignmentOptions {
  /** The data directory: `assignment.json` is kept there. */
  readonly data: string
  readonly clock: Clock
  readonly log: Log
  /** Syncs with ZooKeeper and resolves with the list as it is then. */
  readonly refresh: () => Promise<CollectorList>
}

export class Assignment {
  readonly #options: AssignmentOptions
  readonly #background: Background
  #list: CollectorList = emptyCollectorList
  #stale = true
  /** The tree's list is older than this one. */
  #outlived = false
  #refreshing: Promise<void> | undefined
  #refreshedAtMs = -Infinity
  #saving = false
  #saved: CollectorList = emptyCollectorList

  constructor(options: AssignmentOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.message })
    })
  }

  get list(): CollectorList {
    return this.#list
  }

  /** True while the list may be old: ZooKeeper cannot be reached, or has lost what it knew. */
  get stale(): boolean {
    return this.#stale || this.#outlived
  }

  set stale(stale: boolean) {
    this.#stale = stale
  }

  /** The list as it was last known, where a file holds one. */
  async load(): Promise<void> {
    const path = this.#path
    try {
      const text = await textIfThere(path)
      if (text !== undefined) this.#list = parseJson(collectorListSchema, text, path)
      this.#saved = this.#list
    } catch (thrown) {
      this.#options.log.warn('the last known list cannot be read', { path, reason: asError(thrown).message })
    }
  }

  /**
   * The list as it stands in the tree. One that is older than what is known says that the tree was made again (its data
   * lost, or this collector forgotten): the known one goes on until the leader, which sees the applied epoch in the status,
   * has written a newer one.
   */
  apply(list: CollectorList): void {
    const outlived = list.epoch < this.#list.epoch
    if (outlived && !this.#outlived)
      this.#options.log.warn('the tree has an older list than this collector: the known one is served until a newer', {
        known: this.#list.epoch,
        read: list.epoch,
      })
    this.#outlived = outlived
    if (outlived) return
    this.#list = list
    if (!this.#saving) this.#background.run('keeping the list on disk', () => this.#save())
  }

  /**
   * Reads the list again, one read at a time and at most one a second. Resolves with 0 when it was read, else with the
   * milliseconds after which to ask again.
   */
  async refresh(): Promise<number> {
    const waitMs = this.#refreshedAtMs + refreshIntervalMs - this.#options.clock.monotonicMs()
    if (this.#refreshing === undefined && waitMs > 0) return waitMs
    this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = undefined))
    try {
      await this.#refreshing
      return 0
    } catch (thrown) {
      this.#options.log.debug('the list could not be read', { reason: asError(thrown).message })
      return refreshIntervalMs
    }
  }

  async close(): Promise<void> {
    await this.#background.close()
  }

  async #refresh(): Promise<void> {
    this.#refreshedAtMs = this.#options.clock.monotonicMs()
    this.apply(await this.#options.refresh())
  }

  get #path(): string {
    return join(this.#options.data, 'assignment.json')
  }

  async #save(): Promise<void> {
    this.#saving = true
    try {
      while (this.#saved !== this.#list) {
        const list = this.#list
        await writeFileDurably(this.#path, JSON.stringify({ version: jsonVersions.assignment, ...list }))
        this.#saved = list
      }
    } finally {
      this.#saving = false
    }
  }
}
