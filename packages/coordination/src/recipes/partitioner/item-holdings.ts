import type { WatchListener, ZooKeeperSession } from '../../session/contract/session.ts'
import type { Turn } from '../../following/following.ts'
import { tokenOf } from '../../line/hold.ts'
import type { ClaimSight } from '../../claims/claim.ts'
import type { ItemClaims } from './item-claims.ts'

/** An item while it is ours. */
export interface OwnedItem {
  readonly item: string
  /** Grows from owner to owner. Hand it to what is written outside: that alone stops an owner that slept through the loss. */
  readonly token: bigint
  /** True only while the session is connected and the claim stands. Look at it before each act on the outside. */
  readonly held: boolean
  /** Aborts once: given up, or lost. */
  readonly signal: AbortSignal
}

/** What the holdings report, and whom they wake when a claim is to be looked at. */
export interface HoldingsEvents {
  readonly onAcquired: (items: readonly OwnedItem[]) => void
  readonly onLost: (items: readonly OwnedItem[]) => void
  readonly wake: () => void
}

type ClaimState = 'wanted' | 'claiming' | 'awaited' | 'held' | 'releasing' | 'given-up'

/** An item that concerns this member. */
export interface ItemClaim extends OwnedItem {
  state: ClaimState
  /** Whether the state is as ZooKeeper has it, as far as is known: else look. */
  seen: boolean
  token: bigint
  readonly over: AbortController
  readonly watch: WatchListener
}

/**
 * The items that concern one member, each in its state:
 *
 *   wanted → claiming → held → releasing → given up
 *   claiming → awaited (another holds it) → wanted
 *   held, releasing → lost: the session is, or someone deleted the claim
 */
export class ItemHoldings {
  readonly #session: ZooKeeperSession
  readonly #inZooKeeper: ItemClaims
  readonly #events: HoldingsEvents
  readonly #claims = new Map<string, ItemClaim>()
  #onEmpty: (() => void) | undefined

  constructor(session: ZooKeeperSession, claims: ItemClaims, events: HoldingsEvents) {
    this.#session = session
    this.#inZooKeeper = claims
    this.#events = events
  }

  get(item: string): OwnedItem | undefined {
    return this.#claims.get(item)
  }

  held(): OwnedItem[] {
    return [...this.#claims.values()].filter(({ held }) => held)
  }

  /** Resolves when nothing concerns this member any more. */
  emptied(): Promise<void> {
    return new Promise((resolve) => {
      this.#onEmpty = resolve
      this.#noteEmpty()
    })
  }

  /** These and no others. Returns those that are to be released, in whose state they already are. */
  want(own: ReadonlySet<string>, generation: number): ItemClaim[] {
    const leaving: ItemClaim[] = []
    if (this.#session.generation !== generation || this.#session.state === 'lost') return leaving
    for (const [item, claim] of this.#claims) {
      if (own.has(item)) continue
      if (claim.state === 'held') leaving.push(claim)
      else this.#unwant(claim, generation)
    }
    for (const claim of leaving) claim.state = 'releasing'
    for (const item of own) if (!this.#claims.has(item)) this.#claims.set(item, this.#claim(item, generation))
    return leaving
  }

  /** What is not held. Of what is being claimed no one knows yet whether it is. */
  #unwant(claim: ItemClaim, generation: number): void {
    const { item, state, watch } = claim
    if (state === 'claiming') this.#giveUp(claim, false)
    if (state === 'awaited') void this.#inZooKeeper.unwatch(item, watch, generation)
    if (state === 'awaited' || state === 'wanted') this.#forget(claim)
  }

  /** The release is over: from here on they are not held any more, so that the next turn deletes their claims. */
  giveUp(claims: readonly ItemClaim[]): void {
    for (const claim of claims) if (claim.state === 'releasing') this.#giveUp(claim, true)
    this.#events.wake()
  }

  /** First lets go, then claims. */
  async reconcile(turn: Turn): Promise<void> {
    await this.#giveBack(turn)
    await this.#settle(turn)
  }

  loseAll(why: string): void {
    const lost = [...this.#inState('held'), ...this.#inState('releasing')]
    for (const claim of [...this.#claims.values()]) {
      this.#forget(claim)
      claim.over.abort(new Error(`${claim.item}: ${why}`))
    }
    if (lost.length > 0) this.#events.onLost(lost)
  }

  #claim(item: string, generation: number): ItemClaim {
    const session = this.#session
    const over = new AbortController()
    const claim: ItemClaim = {
      item,
      state: 'wanted',
      seen: false,
      token: 0n,
      over,
      signal: over.signal,
      get held() {
        const ours = claim.state === 'held' || claim.state === 'releasing'
        return ours && !over.signal.aborted && session.state === 'connected' && session.generation === generation
      },
      watch: ({ type }) => {
        claim.seen = false
        if (type === 'deleted') this.#deleted(claim)
        this.#events.wake()
      },
    }
    return claim
  }

  /** From here on it is not held any more, so that its node can go. */
  #giveUp(claim: ItemClaim, seen: boolean): void {
    claim.state = 'given-up'
    claim.seen = seen
    claim.over.abort(new Error(`${claim.item} goes to another`))
  }

  /** Deletes the nodes of what is given up. Where an answer was lost, what is still ours is seen first. */
  async #giveBack(turn: Turn): Promise<void> {
    const givenUp = this.#inState('given-up')
    if (givenUp.length === 0) return
    const unseen = givenUp.filter(({ seen }) => !seen)
    if (unseen.length > 0) await this.#inZooKeeper.sync(turn)
    for (const [claim, { claim: found }] of await this.#look(unseen, turn)) if (found !== 'ours') this.#forget(claim)
    const left = this.#inState('given-up').map(({ item }) => item)
    try {
      await this.#inZooKeeper.delete(left, turn, (item) => {
        this.#forgetItem(item)
      })
    } catch (thrown) {
      for (const claim of this.#inState('given-up')) claim.seen = false
      throw thrown
    }
  }

  /** Claims what is wanted and free, until everything that is its own is known to be held, or another's. */
  async #settle(turn: Turn): Promise<void> {
    for (;;) {
      const unseen = [...this.#claims.values()].filter(({ seen, state }) => !seen && state !== 'given-up')
      if (unseen.length === 0) return
      const wanted = unseen.filter(({ state }) => state === 'wanted')
      if (wanted.length > 0) {
        const free = new Set(
          await this.#inZooKeeper.free(
            wanted.map(({ item }) => item),
            turn,
          ),
        )
        for (const claim of wanted) claim.state = 'claiming'
        await this.#inZooKeeper.create([...free], turn)
      }
      const acquired: ItemClaim[] = []
      for (const [claim, sight] of await this.#look(unseen, turn)) {
        const was = claim.state
        this.#take(claim, sight)
        if (claim.state === 'held' && was !== 'held') acquired.push(claim)
      }
      if (acquired.length > 0) this.#events.onAcquired(acquired)
    }
  }

  /** What is seen of each; those that were lost meanwhile are left out. Marked as seen before: a watch may fire with the answer. */
  async #look(claims: readonly ItemClaim[], turn: Turn): Promise<(readonly [ItemClaim, ClaimSight])[]> {
    for (const claim of claims) claim.seen = true
    try {
      const sights = await Promise.all(
        claims.map(async (claim) => [claim, await this.#inZooKeeper.look(claim.item, claim.watch, turn)] as const),
      )
      return sights.filter(([claim]) => this.#claims.get(claim.item) === claim)
    } catch (thrown) {
      for (const claim of claims) claim.seen = false
      throw thrown
    }
  }

  #take(claim: ItemClaim, sight: ClaimSight): void {
    const ours = sight.claim === 'ours'
    if (claim.state === 'held' || claim.state === 'releasing') {
      if (!ours || claim.token !== tokenOf(sight.stat)) this.#deleted(claim)
    } else if (ours) {
      claim.token = tokenOf(sight.stat)
      claim.state = 'held'
    } else {
      claim.state = sight.claim === 'theirs' ? 'awaited' : 'wanted'
      if (sight.claim === 'absent') claim.seen = false
    }
  }

  /** Someone else deleted the claim: it is not ours from this instant on, and is claimed again if it should be. */
  #deleted(claim: ItemClaim): void {
    if (claim.state !== 'held' && claim.state !== 'releasing') return
    this.#forget(claim)
    claim.over.abort(new Error(`${claim.item}: someone deleted the claim`))
    this.#events.onLost([claim])
    this.#events.wake()
  }

  #inState(state: ClaimState): ItemClaim[] {
    return [...this.#claims.values()].filter((claim) => claim.state === state)
  }

  #forget(claim: ItemClaim): void {
    this.#forgetItem(claim.item)
  }

  #forgetItem(item: string): void {
    this.#claims.delete(item)
    this.#noteEmpty()
  }

  #noteEmpty(): void {
    if (this.#claims.size === 0) this.#onEmpty?.()
  }
}
