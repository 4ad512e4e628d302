// The changes of an assignment, and lists being changed by them. Each change keeps the invariants by itself and touches at
// most three lists, so any prefix of a plan is a valid assignment: that is what lets a large plan be cut into transactions.

import { loadClass, type CollectorList, type JournalMove } from '@catchment/protocol'
import { entryOf, type Lists } from './cluster-view.ts'

/** `from` and `to` are collectors; `owner` is the absent owner of a loan. */
export type AssignmentChange =
  | { readonly do: 'create'; readonly group: string; readonly to: string; readonly why: string }
  | {
      readonly do: 'move'
      readonly group: string
      readonly from: string
      readonly to: string
      readonly borrower?: string
      readonly why: string
    }
  | {
      readonly do: 'lend'
      readonly group: string
      readonly owner: string
      readonly to: string
      readonly previous?: string
      readonly why: string
    }
  | {
      readonly do: 'return'
      readonly group: string
      readonly owner: string
      readonly from: string
      readonly why: string
    }
  | { readonly do: 'keep'; readonly group: string; readonly owner: string; readonly to: string; readonly why: string }

/** What is written with a change: the epoch of its publish, and wall time. */
export interface ChangeStamp {
  readonly epoch: number
  readonly at: number
}

/** How long a list says where a group went. */
export const movedKeptMs = 10 * 60_000

/** Lists under change. The lists that it was given are never written to; each is copied when first touched. */
export class Draft {
  readonly #lists: Map<string, CollectorList>
  readonly #touched = new Set<string>()
  readonly #stamp: ChangeStamp
  readonly #bytesPerSecond: (group: string) => number | undefined

  constructor(lists: Lists, stamp: ChangeStamp, bytesPerSecond: (group: string) => number | undefined) {
    this.#lists = new Map(lists)
    this.#stamp = stamp
    this.#bytesPerSecond = bytesPerSecond
  }

  get lists(): Lists {
    return this.#lists
  }

  get touched(): ReadonlySet<string> {
    return this.#touched
  }

  apply(change: AssignmentChange): void {
    switch (change.do) {
      case 'create':
        this.#own(change.group, change.to, 0)
        return
      case 'move': {
        if (change.borrower !== undefined) this.#leave(change.group, change.borrower, change.to)
        const load = this.#leave(change.group, change.from, change.to)
        this.#own(change.group, change.to, load)
        return
      }
      case 'lend':
        this.#lend(change)
        return
      case 'return': {
        this.#leave(change.group, change.from, change.owner)
        this.#leave(change.group, change.owner, undefined)
        this.#own(change.group, change.owner, 0)
        return
      }
      case 'keep':
        this.#leave(change.group, change.owner, change.to)
        this.#leave(change.group, change.to, undefined)
        this.#own(change.group, change.to, 0)
        return
    }
  }

  #lend(change: Extract<AssignmentChange, { do: 'lend' }>): void {
    const { group, owner, to, previous } = change
    const from = this.#write(owner)
    const before = entryOf(from.lent, group)
    // The grace counts from the first loan, whichever collector serves the group meanwhile and whichever assigner leads.
    const at = before?.at ?? this.#stamp.at
    if (previous !== undefined) this.#leave(group, previous, to)
    Reflect.deleteProperty(from.owned, group)
    from.lent[group] = { to, since: this.#stamp.epoch, at }
    const borrower = this.#write(to)
    Reflect.deleteProperty(borrower.moved, group)
    borrower.borrowed[group] = { from: owner, since: this.#stamp.epoch, at }
  }

  #own(group: string, id: string, load: number): void {
    const list = this.#write(id)
    const measured = this.#bytesPerSecond(group)
    Reflect.deleteProperty(list.moved, group)
    list.owned[group] = { since: this.#stamp.epoch, load: measured === undefined ? load : loadClass(measured) }
  }

  /** Strikes the group from a list; returns the class of load that stood there. */
  #leave(group: string, id: string, to: string | undefined): number {
    if (!this.#lists.has(id)) return 0
    const list = this.#write(id)
    const load = entryOf(list.owned, group)?.load ?? 0
    Reflect.deleteProperty(list.owned, group)
    Reflect.deleteProperty(list.lent, group)
    Reflect.deleteProperty(list.borrowed, group)
    if (to !== undefined) list.moved[group] = { to, epoch: this.#stamp.epoch, at: this.#stamp.at }
    return load
  }

  #write(id: string): CollectorList {
    const list = this.#lists.get(id)
    if (list === undefined) throw new Error(`a plan names the collector ${id}, which has no list`)
    if (this.#touched.has(id)) return list
    this.#touched.add(id)
    const oldest = this.#stamp.at - movedKeptMs
    const copy: CollectorList = {
      epoch: this.#stamp.epoch,
      owned: { ...list.owned },
      lent: { ...list.lent },
      borrowed: { ...list.borrowed },
      moved: Object.fromEntries(Object.entries(list.moved).filter(([, { at }]) => at >= oldest)),
    }
    this.#lists.set(id, copy)
    return copy
  }
}

/** A change as it stands in the journal. */
export function journalMove(change: AssignmentChange): JournalMove {
  const { group, why } = change
  switch (change.do) {
    case 'create':
      return { group, to: change.to, how: 'owned', why }
    case 'move':
      return { group, from: change.from, to: change.to, how: 'owned', why }
    case 'lend':
      return { group, from: change.previous ?? change.owner, to: change.to, how: 'lent', why }
    case 'return':
      return { group, from: change.from, to: change.owner, how: 'returned', why }
    case 'keep':
      return { group, from: change.owner, to: change.to, how: 'kept', why }
  }
}
