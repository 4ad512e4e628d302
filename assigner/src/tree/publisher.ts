// Writing an assignment: one transaction per batch, each fenced, each at the versions that were read.

import { isCode, ZooKeeperError, type Operation, type ZooKeeperSession } from '@catchment/coordination'
import {
  encodeZnode,
  journalEntriesMax,
  journalEntrySchema,
  journalMovesMax,
  journalNodeName,
  decodeZnode,
  type JournalEntry,
  type Load,
  type Manifest,
  type TreePaths,
} from '@catchment/protocol'
import { asError, type Log } from '@catchment/runtime'
import { firstBatch, firstRestamped, type PublishBatch } from './decide/batches.ts'
import { journalMove, type AssignmentChange } from './decide/draft.ts'
import { violations } from './decide/invariant.ts'
import { listsOf } from './decide/cluster-view.ts'
import type { Lead } from './leadership.ts'
import type { Snapshot } from './tree-cache.ts'

/**
 * `deposed`: another leads, as the fence says, or the fence or the manifest was deleted: the lead is to be taken again.
 * `outdated`: the tree is not as it was read. `unknown`: the answer never came. After each of them everything is read again
 * before anything is planned.
 */
export type PublishResult =
  | { readonly outcome: 'published'; readonly epoch: number; readonly rest: readonly AssignmentChange[] }
  | { readonly outcome: 'deposed' | 'outdated' | 'unknown' }

export interface PublisherOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly id: string
  readonly log: Log
}

export class Publisher {
  readonly #options: PublisherOptions
  #oldestJournal = new Set<string>()

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /**
   * Publishes the first batch of `changes` on what `snapshot` holds, with the epoch after `newestKnown`. Throws on a plan
   * that would break an invariant.
   */
  async publish(
    lead: Lead,
    snapshot: Snapshot,
    plan: { changes: readonly AssignmentChange[]; why: string; loads: ReadonlyMap<string, Load>; newestKnown: number },
  ): Promise<PublishResult> {
    const { session, log } = this.#options
    const epoch = plan.newestKnown + 1
    const at = session.clock.now()
    const batch = firstBatch(listsOf(snapshot), plan.changes, { epoch, at }, plan.loads)
    if (batch.full.size > 0)
      log.error('groups are not placed: the lists of collectors are full; add collectors', { full: [...batch.full] })
    if (batch.changes.length === 0) return { outcome: 'published', epoch: snapshot.manifest.epoch, rest: [] }
    const wrong = violations(batch.lists)
    if (wrong.length > 0) throw new Error(`refused to publish epoch ${epoch}: ${wrong.slice(0, 3).join('; ')}`)
    return await this.#write(lead, snapshot, batch, { epoch, at, why: plan.why, term: lead.term })
  }

  /** Writes the lists of `ids` again, as they are, with the epoch after `newestKnown`: as many as one transaction holds. */
  async restamp(
    lead: Lead,
    snapshot: Snapshot,
    plan: { ids: readonly string[]; why: string; newestKnown: number },
  ): Promise<PublishResult> {
    const epoch = plan.newestKnown + 1
    const batch = firstRestamped(listsOf(snapshot), plan.ids, epoch)
    return await this.#write(lead, snapshot, batch, {
      epoch,
      at: this.#options.session.clock.now(),
      why: plan.why,
      term: lead.term,
    })
  }

  async #write(lead: Lead, snapshot: Snapshot, batch: PublishBatch, manifest: Manifest): Promise<PublishResult> {
    const { session, log } = this.#options
    const { epoch, why } = manifest
    if (snapshot.manifestVersion < 0) return { outcome: 'deposed' }
    try {
      await session.multi(this.#operations(lead, snapshot, batch, manifest), { signal: lead.signal })
    } catch (thrown) {
      return this.#unpublished(thrown, epoch, lead)
    }
    log.info('published', { epoch, why, moves: batch.changes.length, lists: batch.written.length })
    await this.#trimJournal(epoch)
    return { outcome: 'published', epoch, rest: batch.rest }
  }

  /** What a failed transaction means; throws what is a bug. */
  #unpublished(thrown: unknown, epoch: number, lead: Lead): PublishResult {
    if (isCode(thrown, 'bad-version', 'no-node') && thrown.operationIndex === 0) return { outcome: 'deposed' }
    if (isCode(thrown, 'bad-version', 'no-node', 'node-exists')) return { outcome: 'outdated' }
    if (!(thrown instanceof ZooKeeperError)) throw thrown
    if (thrown.outcome !== 'unknown' && !thrown.retryable && !lead.signal.aborted) throw thrown
    this.#options.log.warn('a publish was sent and not answered', { epoch, reason: thrown.message })
    return { outcome: 'unknown' }
  }

  /** The decisions that are kept, in no order. */
  async journal(signal?: AbortSignal): Promise<JournalEntry[]> {
    const { session, paths } = this.#options
    const options = signal === undefined ? {} : { signal }
    const { names } = await session.children(paths.journal, options)
    const read = async (name: string): Promise<JournalEntry[]> => {
      const path = `${paths.journal}/${name}`
      try {
        return [decodeZnode(journalEntrySchema, (await session.get(path, options)).data, path)]
      } catch (thrown) {
        if (isCode(thrown, 'no-node')) return []
        throw thrown
      }
    }
    return (await Promise.all(names.map(read))).flat()
  }

  /** To be called with every new lead: which decisions of others are there. */
  async readJournalNames(): Promise<void> {
    this.#oldestJournal = new Set((await this.#options.session.children(this.#options.paths.journal)).names.sort())
  }

  #operations(lead: Lead, snapshot: Snapshot, batch: PublishBatch, manifest: Manifest): Operation[] {
    const { paths, id } = this.#options
    const moves = batch.changes.slice(0, journalMovesMax).map(journalMove)
    const entry: JournalEntry = { ...manifest, leader: id, moves, moveCount: batch.changes.length }
    return [
      lead.fence.check,
      ...batch.written.map((written): Operation => ({
        op: 'set',
        path: paths.collector(written.id),
        data: written.data,
        version: snapshot.collectors.get(written.id)?.listVersion ?? 0,
      })),
      {
        op: 'create',
        path: `${paths.journal}/${journalNodeName(manifest.epoch)}`,
        data: encodeZnode(entry),
      },
      { op: 'set', path: paths.assignment, data: encodeZnode(manifest), version: snapshot.manifestVersion },
    ]
  }

  /** Deletes the oldest decisions past the limit: in passing, and again next time where it fails. */
  async #trimJournal(epoch: number): Promise<void> {
    this.#oldestJournal.add(journalNodeName(epoch))
    for (const name of this.#oldestJournal) {
      if (this.#oldestJournal.size <= journalEntriesMax) return
      try {
        await this.#options.session.delete(`${this.#options.paths.journal}/${name}`, 'any')
      } catch (thrown) {
        if (!isCode(thrown, 'no-node')) {
          this.#options.log.warn('could not delete an old decision', { name, reason: asError(thrown).message })
          return
        }
      }
      this.#oldestJournal.delete(name)
    }
  }
}
