// Group commit. Transactions are appended in memory; one pump writes all that have gathered, syncs once, and says how
// far the log is durable. While it syncs the next ones gather. When the log has grown past its limit, the pump begins a
// new file between two batches and the state as of that point is written beside it.
//
// A failed write or sync ends the journal for good: the kernel may have dropped the dirty pages, so that a second
// fsync could succeed without the data (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).

import { asError, CatchmentError } from '@catchment/runtime'
import { encodeTransaction, type Transaction } from '../tree/changes.ts'
import type { LogFile } from './log-file.ts'
import type { FrozenState, StateMachine } from '../tree/state-machine.ts'
import type { DataDirectory, Recovered } from './storage.ts'

export interface JournalEvents {
  /** `durable` has grown. */
  readonly onDurable: () => void
  /** Nothing more will ever become durable. */
  readonly onFailure: (error: CatchmentError) => void
}

export class Journal {
  appended = 0
  durable = 0
  readonly #directory: DataDirectory
  readonly #machine: StateMachine
  readonly #logBytesMax: number
  readonly #events: JournalEvents
  #log: LogFile
  #pending: Buffer[] = []
  #failed = false
  #pumping: Promise<void> | undefined
  #snapshotting: Promise<void> | undefined

  constructor({ directory, machine, log }: Recovered, logBytesMax: number, events: JournalEvents) {
    this.#directory = directory
    this.#machine = machine
    this.#log = log
    this.#logBytesMax = logBytesMax
    this.#events = events
  }

  append(transaction: Transaction): void {
    if (this.#failed) return
    this.#pending.push(encodeTransaction(transaction))
    this.appended += 1
    this.#pumping ??= this.#guarded('write the transaction log', () => this.#pump())
  }

  /** Waits until what was appended is on disk, then lets go of the directory. */
  async close(): Promise<void> {
    await this.#pumping
    await this.#snapshotting
    await this.#log.close()
    this.#directory.release()
  }

  async #pump(): Promise<void> {
    await Promise.resolve() // the packets of one read become one batch
    while (this.#pending.length > 0 && !this.#failed) {
      const batch = this.#pending
      const position = this.appended
      // With every transaction of the batch that is about to be written, and none after it.
      const state = this.#mayBeginSnapshot() ? this.#machine.freeze() : undefined
      this.#pending = []
      await this.#log.append(batch)
      this.durable = position
      this.#events.onDurable()
      if (state !== undefined) await this.#rotate(state)
    }
    this.#pumping = undefined
  }

  #mayBeginSnapshot(): boolean {
    return this.#snapshotting === undefined && this.#log.size > this.#logBytesMax
  }

  async #rotate(state: FrozenState): Promise<void> {
    const full = this.#log
    this.#log = await this.#directory.beginLog(state.zxid + 1n)
    await full.close()
    this.#snapshotting = this.#guarded('write a snapshot', async () => {
      await this.#directory.saveSnapshot(state)
      await this.#directory.dropBefore(state.zxid)
    }).finally(() => {
      this.#snapshotting = undefined
    })
  }

  async #guarded(attempt: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (thrown) {
      if (this.#failed) return
      this.#failed = true
      const rule =
        'what is on disk is unknown after a failed write, so the server ends; no unwritten change was acknowledged'
      const message = `could not ${attempt}: ${asError(thrown).message}; ${rule}. Check the disk, then start it again`
      this.#events.onFailure(new CatchmentError('zookeeper-disk', message, { blame: 'machine', cause: thrown }))
    }
  }
}
