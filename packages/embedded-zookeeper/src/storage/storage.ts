// The data directory: one snapshot, and the log since it, in one file or two while a new snapshot is being written.
//
//   snapshot.<zxid>   the state after that transaction
//   log.<zxid>        the transactions from that one on
//
// A start reads the newest snapshot, replays what follows, and writes a new snapshot: what was cut from a torn tail can
// never come back, and starts stay short.

import { chmod, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { asError, lockDirectory, syncDirectory, writeFileDurably, type DirectoryLock } from '@catchment/runtime'
import { damaged, LogFile, readLog } from './log-file.ts'
import { decodeSnapshot, snapshotSlices } from './snapshot.ts'
import { StateMachine, type FrozenState } from '../tree/state-machine.ts'

export interface Recovered {
  readonly directory: DataDirectory
  readonly machine: StateMachine
  /** A fresh log for what comes. */
  readonly log: LogFile
}

interface Stored {
  readonly name: string
  readonly kind: 'snapshot' | 'log'
  readonly zxid: bigint
}

export class DataDirectory {
  readonly #path: string
  readonly #lock: DirectoryLock

  private constructor(path: string, lock: DirectoryLock) {
    this.#path = path
    this.#lock = lock
  }

  /**
   * Locks the directory, making it when missing, and reads what it holds.
   * Throws CatchmentError: `in-use`, `zookeeper-damaged`.
   */
  static async open(path: string): Promise<Recovered> {
    const lock = await lockDirectory(path, 'catchment-zookeeper')
    try {
      await chmod(path, 0o700)
      const directory = new DataDirectory(path, lock)
      const machine = await directory.#recover()
      await directory.saveSnapshot(machine.freeze())
      const log = await directory.beginLog(machine.zxid + 1n)
      await directory.dropBefore(machine.zxid)
      return { directory, machine, log }
    } catch (thrown) {
      lock.release()
      throw thrown
    }
  }

  async beginLog(firstZxid: bigint): Promise<LogFile> {
    const log = await LogFile.create(join(this.#path, nameOf('log', firstZxid)), firstZxid)
    await syncDirectory(this.#path)
    return log
  }

  async saveSnapshot(state: FrozenState): Promise<void> {
    await writeFileDurably(join(this.#path, nameOf('snapshot', state.zxid)), snapshotSlices(state))
  }

  /** Deletes what the snapshot at `zxid` has made superfluous. */
  async dropBefore(zxid: bigint): Promise<void> {
    for (const { name, kind, zxid: at } of await this.#stored())
      if (kind === 'snapshot' ? at < zxid : at <= zxid) await rm(join(this.#path, name))
  }

  release(): void {
    this.#lock.release()
  }

  async #recover(): Promise<StateMachine> {
    const stored = await this.#stored()
    const newest = stored.findLast(({ kind }) => kind === 'snapshot')
    const machine = newest === undefined ? new StateMachine() : await this.#readSnapshot(newest.name)
    for (const { name } of stored.filter(({ kind }) => kind === 'log')) {
      const path = join(this.#path, name)
      for (const transaction of await readLog(path)) {
        if (transaction.zxid <= machine.zxid) continue
        try {
          machine.replay(transaction)
        } catch (thrown) {
          throw damaged(path, asError(thrown).message)
        }
      }
    }
    return machine
  }

  async #readSnapshot(name: string): Promise<StateMachine> {
    const path = join(this.#path, name)
    const bytes = await readFile(path)
    try {
      return decodeSnapshot(bytes)
    } catch (thrown) {
      throw damaged(path, asError(thrown).message)
    }
  }

  /** What is there, by zxid. Half-written snapshots are deleted on the way. */
  async #stored(): Promise<Stored[]> {
    const stored: Stored[] = []
    for (const name of await readdir(this.#path)) {
      const match = /^(snapshot|log)\.([0-9a-f]{16})(\.tmp)?$/.exec(name)
      if (match === null) continue
      const [, kind, zxid, temporary] = match
      if (temporary === undefined)
        stored.push({ name, kind: kind === 'log' ? 'log' : 'snapshot', zxid: BigInt(`0x${zxid ?? ''}`) })
      else await rm(join(this.#path, name))
    }
    return stored.sort((a, b) => (a.zxid < b.zxid ? -1 : a.zxid > b.zxid ? 1 : 0))
  }
}

function nameOf(kind: Stored['kind'], zxid: bigint): string {
  return `${kind}.${zxid.toString(16).padStart(16, '0')}`
}
