// This collector in the tree: its list, which it follows, and its status, which it keeps there. The status is fenced: it is
// replaced only by a later start on the same data directory, so that of two processes with one id one gives up.

import { join } from 'node:path'
import { readdir } from 'node:fs/promises'
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
  type ZooKeeperSession,
} from '@catchment/coordination'
import { CatchmentError, type Log } from '@catchment/runtime'
import type { DataDirectory } from '../segments/data-directory.ts'
import { mayReplace } from '../decide/fence.ts'

export interface MemberOptions {
  readonly id: string
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly directory: DataDirectory
  readonly log: Log
  readonly onList: (list: CollectorList) => void
  readonly onStale: (stale: boolean) => void
  /** Another process took the id. */
  readonly onRefused: (error: CatchmentError) => void
}

export class Member {
  readonly #options: MemberOptions
  readonly #list: FollowedValue
  #membership: Membership | undefined

  private constructor(options: MemberOptions, list: FollowedValue) {
    this.#options = options
    this.#list = list
  }

  /** Makes the own node where it is missing and reads it after a sync; `onList` has been called when this resolves. */
  static async open(options: MemberOptions): Promise<Member> {
    const { session, paths, id } = options
    await session.ensurePath(paths.collectors)
    await session.create(paths.collector(id), encodeZnode(emptyCollectorList)).catch((thrown: unknown) => {
      if (!isCode(thrown, 'node-exists')) throw thrown
    })
    const list = followValue(session, paths.collector(id), {
      onValue: (data) => {
        applyList(options, data)
      },
      onStale: options.onStale,
    })
    const member = new Member(options, list)
    try {
      await warnOfFormerDisk(options, await member.refresh())
      return member
    } catch (thrown) {
      await list.close() // whoever tries again opens another
      throw thrown
    }
  }

  /** Syncs, then reads the own list. */
  async refresh(): Promise<CollectorList> {
    const { data } = await this.#list.refresh()
    return decodeList(this.#options, data)
  }

  /** Puts the status into the tree. Throws CatchmentError `refused` when another process lives under this id. */
  async join(status: CollectorStatus): Promise<void> {
    const { session, paths, id } = this.#options
    try {
      this.#membership = await joinMembership(session, {
        path: paths.collector(id),
        name: statusNodeName,
        data: encodeZnode(status),
        replaces: (existing) => mayReplace(decodeStatus(existing), status),
        onRefused: (error) => {
          this.#options.onRefused(this.#refusal(error.existing))
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

  async close(): Promise<void> {
    await this.#list.close()
    if (this.#options.session.state === 'connected') await this.#membership?.leave()
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

function applyList(options: MemberOptions, data: Buffer | undefined): void {
  try {
    options.onList(decodeList(options, data))
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown
    options.log.error('the own list in the tree cannot be read; the last known one stands', { reason: thrown.message })
  }
}

function decodeList({ paths, id }: MemberOptions, data: Buffer | undefined): CollectorList {
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
async function warnOfFormerDisk({ id, directory, log }: MemberOptions, list: CollectorList): Promise<void> {
  const stored = await readdir(join(directory.path, 'segments'))
  if (directory.starts > 1 || stored.length > 0 || list.epoch === 0) return
  log.warn('this data directory is new and the id is not: undelivered bytes of the former disk may be lost', {
    id,
    dataId: directory.dataId,
    epoch: list.epoch,
  })
}
