import type { CollectorList } from '@catchment/protocol'
import { entryOf, type CollectorView, type Lists } from './cluster-view.ts'

/**
 * Which collector each group is served by according to the lists, kept up to date by what changed: a resolve looks up
 * thousands of groups, and a publish changes two lists of a thousand.
 */
export class ServingIndex {
  readonly #servers = new Map<string, string>()
  /** Groups that an absent owner lists, which are not to be created again. */
  readonly #lent = new Map<string, string>()
  #lists: Lists = new Map()

  get size(): number {
    return this.#servers.size
  }

  /** Lists are compared by identity: an unchanged list must be the same object. */
  update(lists: Lists): void {
    const before = this.#lists
    const changed = [...new Set([...before.keys(), ...lists.keys()])].filter((id) => before.get(id) !== lists.get(id))
    for (const id of changed) this.#strike(id, before.get(id))
    for (const id of changed) this.#enter(id, lists.get(id))
    this.#lists = lists
  }

  /** The collector whose list has the group to serve. */
  serverOf(group: string): string | undefined {
    return this.#servers.get(group)
  }

  /** Its owner: the collector that lists it as owned or lent, else the lender that its borrower names. */
  ownerOf(group: string): string | undefined {
    const lender = this.#lent.get(group)
    if (lender !== undefined) return lender
    const server = this.#servers.get(group)
    if (server === undefined) return undefined
    return entryOf(this.#lists.get(server)?.borrowed ?? {}, group)?.from ?? server
  }

  isKnown(group: string): boolean {
    return this.#servers.has(group) || this.#lent.has(group)
  }

  #strike(id: string, list: CollectorList | undefined): void {
    if (list === undefined) return
    for (const group of [...Object.keys(list.owned), ...Object.keys(list.borrowed)])
      if (this.#servers.get(group) === id) this.#servers.delete(group)
    for (const group of Object.keys(list.lent)) if (this.#lent.get(group) === id) this.#lent.delete(group)
  }

  #enter(id: string, list: CollectorList | undefined): void {
    if (list === undefined) return
    for (const group of Object.keys(list.owned)) this.#servers.set(group, id)
    for (const group of Object.keys(list.borrowed)) this.#servers.set(group, id)
    for (const group of Object.keys(list.lent)) this.#lent.set(group, id)
  }
}

/** What answers are read off: the assignment as it stands, and who lives. */
export interface Standpoint {
  readonly epoch: number
  readonly index: ServingIndex
  readonly collectors: ReadonlyMap<string, CollectorView>
  readonly frozen: string | undefined
}
