// What a periodic task keeps in ZooKeeper: a record of the last slot, and the claim on the next one.

import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import type { Operation, Stat } from '../../session/contract/nodes.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import type { CallOptions, ReadOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** Stands as long as its ephemeral does. */
export interface SlotClaim {
  readonly slotMs: number
  /** The name of the ephemeral below the task's node; random, so that each claim is another. */
  readonly node: string
  readonly by: string
}

export interface SlotRecord {
  /** The last slot that is over; every one before it is over too. */
  readonly lastMs: number
  /** Whose run it was. */
  readonly lastBy: string
  readonly claim?: SlotClaim
}

export interface ReadRecord {
  readonly record: SlotRecord
  readonly version: number
  /** Of the claim's ephemeral; undefined if there is none: no claim, or its owner has died. */
  readonly standing: Stat | undefined
}

/** Undefined if there is no record yet. `watch` is left on the record and on the ephemeral of its claim. */
export async function readRecord(
  session: ZooKeeperSession,
  path: string,
  options: ReadOptions,
): Promise<ReadRecord | undefined> {
  const found = await getOrUndefined(session, path, options)
  const record = found && parse(path, found.data)
  if (found === undefined || record === undefined) return undefined
  // Not exists(): on a node that is gone that would leave a watch that nothing ever fires.
  const standing = record.claim && (await getOrUndefined(session, `${path}/${record.claim.node}`, options))?.stat
  return { record, version: found.stat.version, standing }
}

/** Writes a record in which everything until `initialMs` is over, unless another has written one. */
export async function initialise(
  session: ZooKeeperSession,
  path: string,
  initialMs: number,
  call: CallOptions,
): Promise<void> {
  await session.ensurePath(path, call)
  const found = await getOrUndefined(session, path, call)
  if (found?.data.length !== 0) return
  const record = encode({ lastMs: initialMs, lastBy: '' })
  await ignoring(session.set(path, record, found.stat.version, call), 'bad-version', 'no-node')
}

export function claimOperations(path: string, { version, record }: ReadRecord, claim: SlotClaim): Operation[] {
  return [
    { op: 'set', path, data: encode({ ...record, claim }), version },
    { op: 'create', path: `${path}/${claim.node}`, data: Buffer.from(claim.by), mode: 'ephemeral' },
  ]
}

/** Ends a claim that was written at `version`. Its two operations come first: more may follow. */
export function endOperations(path: string, version: number, claim: SlotClaim, record: SlotRecord): Operation[] {
  return [
    { op: 'set', path, data: encode(record), version },
    { op: 'delete', path: `${path}/${claim.node}`, version: 'any' },
  ]
}

function encode(record: SlotRecord): Uint8Array {
  return Buffer.from(JSON.stringify(record))
}

function parse(path: string, data: Buffer): SlotRecord | undefined {
  if (data.length === 0) return undefined
  const text = data.toString()
  const read = jsonOf(text)
  if (isRecord(read)) return read
  throw new ZooKeeperError(
    'refused',
    `${path} holds no record of a periodic task, but ${JSON.stringify(text.slice(0, 100))}; delete it or use another path`,
    { existing: data },
  )
}

/** Undefined for what is no JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(read: unknown): read is SlotRecord {
  if (typeof read !== 'object' || read === null || !('lastMs' in read) || !('lastBy' in read)) return false
  if (!Number.isInteger(read.lastMs) || typeof read.lastBy !== 'string') return false
  return !('claim' in read) || isClaim(read.claim)
}

function isClaim(read: unknown): read is SlotClaim {
  if (typeof read !== 'object' || read === null) return false
  if (!('slotMs' in read && 'node' in read && 'by' in read)) return false
  return Number.isInteger(read.slotMs) && typeof read.node === 'string' && typeof read.by === 'string'
}
