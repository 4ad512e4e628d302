// After a restart: which of the files that lie here are the streams that the checkpoint log knows? By inode where it lay,
// by inode among what rotation names, by content where the inode is another; what is nowhere is lost, and counted.

import type { Clock, Log } from '@catchment/runtime'
import type { CheckpointLog } from '../data/checkpoint-log.ts'
import type { StreamRecord } from '../data/checkpoint-record.ts'
import { sameInode } from '../decide/identity.ts'
import {
  inodeKey,
  judgeFile,
  openQuietly,
  regularFileAt,
  rotatedSiblings,
  whoIs,
  type FoundFile,
} from '../files/file-looks.ts'
import type { Counters } from '../metering/counters.ts'
import type { Losses } from '../shipping/losses.ts'
import { resumeStream } from '../streams/followed-stream.ts'
import type { MemoryBudget } from '../streams/memory-budget.ts'
import type { Follower } from './follower.ts'

export interface ResumeOptions {
  readonly clock: Clock
  readonly log: Log
  readonly checkpoints: CheckpointLog
  readonly counters: Counters
  readonly losses: Losses
  readonly memory: MemoryBudget
  readonly follower: Follower
}

const recordsPerTurn = 200

/** Resumes what can be resumed. What was found and is no known stream is left for the caller to discover. */
export async function recover(recovery: ResumeOptions, found: readonly FoundFile[]): Promise<void> {
  const newest = [...newestByPath(recovery.checkpoints).values()] // before what is nowhere is forgotten
  const byInode = new Map(found.map((one) => [inodeKey(one.stat), one]))
  const claimed = new Set<string>()
  const absent: StreamRecord[] = []
  let turn = 0
  for (const record of [...recovery.checkpoints.records.values()]) {
    turn += 1
    if (turn % recordsPerTurn === 0) await new Promise((resolve) => setImmediate(resolve))
    const there = byInode.get(`${record.identity.device}:${record.identity.inode}`) ?? lyingAt(record)
    if (there === undefined || !resume(recovery, record, there, claimed)) absent.push(record)
  }
  for (const record of absent) {
    const siblings = rotatedSiblings(record.path)
    const candidates = [...siblings.filter(({ stat }) => sameInode(record.identity, whoIs(stat))), ...siblings]
    const now = regularFileAt(record.path)
    if (now !== undefined) candidates.push({ path: record.path, stat: now })
    if (!candidates.some((candidate) => resume(recovery, record, candidate, claimed))) lose(recovery, record)
  }
  for (const record of newest) {
    const now = regularFileAt(record.path)
    if (now === undefined || !sameInode(record.identity, whoIs(now))) recovery.follower.lookForSuccessors(record)
  }
}

function lyingAt(record: StreamRecord): FoundFile | undefined {
  const stat = regularFileAt(record.at)
  return stat !== undefined && sameInode(record.identity, whoIs(stat)) ? { path: record.at, stat } : undefined
}

function resume(recovery: ResumeOptions, record: StreamRecord, there: FoundFile, claimed: Set<string>): boolean {
  const key = inodeKey(there.stat)
  if (claimed.has(key)) return false
  const file = openQuietly(there.path)
  if (file === undefined) return false
  const verdict = judgeFile(record.identity, { offset: record.checkpoint, mark: record.mark }, file)
  if (verdict !== 'same' && verdict !== 'moved') {
    if (verdict === 'truncated') recovery.counters.add('truncations', 1)
    file.release()
    return false
  }
  claimed.add(key)
  const identity = { ...record.identity, ...whoIs(there.stat) }
  const found = { at: there.path, held: file, nowMs: recovery.clock.monotonicMs() }
  recovery.follower.add(resumeStream({ ...record, identity }, found, recovery.memory))
  return true
}

/** No file holds the bytes up to the last known size any more: perhaps the collector does. */
function lose(recovery: ResumeOptions, record: StreamRecord): void {
  const { checkpoints, follower, clock, losses, memory } = recovery
  if (record.sizeBytes <= record.checkpoint) {
    checkpoints.forget(record.stream)
    return
  }
  const found = { at: record.at, held: undefined, nowMs: clock.monotonicMs() }
  const followed = resumeStream(record, found, memory)
  followed.file.over()
  losses.suspect(followed, 'gone while no agent ran')
  follower.add(followed)
}

function newestByPath(checkpoints: CheckpointLog): Map<string, StreamRecord> {
  const newest = new Map<string, StreamRecord>()
  for (const record of checkpoints.records.values()) {
    const other = newest.get(record.path)
    if (other === undefined || BigInt(record.identity.bornNs) > BigInt(other.identity.bornNs))
      newest.set(record.path, record)
  }
  return newest
}
