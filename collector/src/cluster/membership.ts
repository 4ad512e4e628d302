// This collector in the tree: its list, which it follows, and its status, which it keeps there. The status is fenced: it is
// replaced only by a later start on the same data directory, so that of two processes with one id one gives up.

import { EventEmitter } from 'node:events'
import {
  collectorListSchema,
  collectorStatusSchema,
  decodeZnode,
  emptyCollectorList,
  encodeZnode,
  ProtocolError,
  statusNodeName,
  type CollectorList,
  type CollectorStatus,
  type TreePaths,
} from '@catchment/protocol'
import {
  followValue,
  isCode,
  joinMembership,
  type FollowedValue,
  type Membership,
  type SessionState,
  type ZooKeeperSession,
  untilAnswered,
} from '@catchment/coordination'
import { CatchmentError, type Log } from '@catchment/runtime'
import type { CollectorDirectory } from '../segments/data-directory.ts'
import { mayReplace } from '../decide/fence.ts'

export interface ClusterMemberOptions {
  readonly id: string
  readonly paths: TreePaths
  readonly directory: Pick<CollectorDirectory, 'dataId' | 'isNew'>
  /** Rejects with `unreachable` while ZooKeeper cannot be reached. */
  readonly openSession: () => Promise<ZooKeeperSession>
  readonly log: Log
}

export class ClusterMember {
  readonly #options: ClusterMemberOptions
  readonly #events = new EventEmitter<{ list: [CollectorList]; stale: [boolean]; refused: [CatchmentError] }>()
  #connecting: Promise<void> | undefined
  #session: ZooKeeperSession | undefined
  #list: FollowedValue | undefined
  #membership: Membership | undefined

  constructor(options: ClusterMemberOptions) {
    this.#options = options
  }

  /** The list of groups as it stands in the tree: emitted before `connect` resolves, and on every change. */
  onList(listener: (list: CollectorList) => void): void {
    this.#events.on('list', listener)
  }

  /** Whether the last list may be old. */
  onStale(listener: (stale: boolean) => void): void {
    this.#events.on('stale', listener)
  }

  /** Another process took the id. */
  onRefused(listener: (error: CatchmentError) => void): void {
    this.#events.on('refused', listener)
  }

  /** Of the session; `lost` before there is one. */
  get sessionState(): SessionState {
    return this.#session?.state ?? 'lost'
  }

  /**
   * Opens the session, makes this collector's node where it is missing and reads it after a sync. May be called again after
   * it failed. Throws ZooKeeperError, `unreachable` among others.
   */
  async connect(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined))
    await this.#connecting
  }

  /** Syncs, then reads this collector's list. */
  async refresh(): Promise<CollectorList> {
    if (this.#list === undefined)
      throw new CatchmentError('starting', 'ZooKeeper was not reached yet', { blame: 'machine', retryable: true })
    const { data } = await this.#list.refresh()
    return decodeList(this.#options, data)
  }

  /** Puts the status into the tree. Throws CatchmentError `refused` when another process lives under this id. */
  async join(status: CollectorStatus): Promise<void> {
    const { paths, id } = this.#options
    if (this.#session === undefined) throw new Error('join after connect: there is no session yet')
    try {
      this.#membership = await joinMembership(this.#session, {
        path: paths.collector(id),
        name: statusNodeName,
        data: encodeZnode(status),
        replaces: (existing) => mayReplace(decodeStatus(existing), status),
        onRefused: (error) => {
          this.#events.emit('refused', this.#refusal(error.existing))
        },
      })
    } catch (thrown) {
      if (isCode(thrown, 'refused')) throw this.#refusal(thrown.existing)
      throw thrown
    }
  }

  /** Rewrites the status. Waits for ZooKeeper where it is away. */
  async report(status: CollectorStatus): Promise<void> {
    await this.#membership?.update(encodeZnode(status))
  }

  /** Leaves the tree, and ends the session. */
  async close(): Promise<void> {
    await this.#end() // ends an attempt to connect too, once it has a session
    await this.#connecting?.catch(() => undefined) // its caller has the error
    await this.#end() // of an attempt that opened one meanwhile
  }

  async #end(): Promise<void> {
    await this.#list?.close()
    if (this.#session?.state === 'connected') await this.#membership?.leave()
    await this.#session?.close()
  }

  async #connect(): Promise<void> {
    if (this.#list !== undefined) return
    const { openSession, paths, id } = this.#options
    this.#session ??= await openSession()
    const session = this.#session
    await untilAnswered(session, (call) => session.ensurePath(paths.collectors, call))
    const list = encodeZnode(emptyCollectorList)
    await untilAnswered(session, (call) => session.create(paths.collector(id), list, 'persistent', call)).catch(
      (thrown: unknown) => {
        if (!isCode(thrown, 'node-exists')) throw thrown
      },
    )
    this.#list = followValue(session, paths.collector(id), {
      onValue: (data) => {
        this.#apply(data)
      },
      onStale: (stale) => {
        this.#events.emit('stale', stale)
      },
    })
    try {
      warnOfFormerDisk(this.#options, await this.refresh())
    } catch (thrown) {
      await this.#list.close() // the next attempt opens another
      this.#list = undefined
      throw thrown
    }
  }

  #apply(data: Buffer | undefined): void {
    try {
      this.#events.emit('list', decodeList(this.#options, data))
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown
      this.#options.log.error('the list of this collector in the tree cannot be read; the last known one stands', {
        reason: thrown.message,
      })
    }
  }

  #refusal(existing: Uint8Array | undefined): CatchmentError {
    const other = existing === undefined ? undefined : decodeStatus(existing)
    const who =
      other === undefined ? 'another process' : `${other.url} (data id ${other.dataId}, start ${other.starts})`
    return new CatchmentError(
      'refused',
      `cannot join as collector ${this.#options.id}: ${who} lives under this id. Stop it, or use another --id`,
      { blame: 'operator' },
    )
  }
}

function decodeList({ paths, id }: ClusterMemberOptions, data: Buffer | undefined): CollectorList {
  if (data === undefined || data.length === 0) return emptyCollectorList
  return decodeZnode(collectorListSchema, data, paths.collector(id))
}

function decodeStatus(data: Uint8Array): CollectorStatus | undefined {
  try {
    return decodeZnode(collectorStatusSchema, data, statusNodeName)
  } catch (thrown) {
    if (thrown instanceof ProtocolError) return undefined
    throw thrown
  }
}

/** A new data directory below an id that served groups: what the former one had not delivered is gone with it. */
function warnOfFormerDisk({ id, directory, log }: ClusterMemberOptions, list: CollectorList): void {
  if (!directory.isNew || list.epoch === 0) return
  log.warn('this data directory is new and the id is not: undelivered bytes of the former disk may be lost', {
    id,
    dataId: directory.dataId,
    epoch: list.epoch,
  })
}
