// Names of a queue's items, and the order in which they are taken. A name is `<priority>-<id>-<sequence>`: three digits, 16
// hex digits drawn by the one who put it, and the number that ZooKeeper gave.

const shape = /^(\d{3})-([0-9a-f]{16})-(-?\d{10})$/
export const priorityMax = 999

/** What a create is asked for; ZooKeeper appends the sequence number. */
export function itemPrefix(priority: number, id: string): string {
  return `${String(priority).padStart(3, '0')}-${id}-`
}

/** The id in an item's name; undefined for a name that is none. */
export function itemId(name: string): string | undefined {
  return shape.exec(name)?.[2]
}

/**
 * By priority, then by sequence. Sequence numbers are 32 bits and go on below zero after 2^31 - 1: they are compared by
 * their distance (RFC 1982), which is right as long as the oldest and the newest item are less than 2^31 puts apart.
 */
export function inOrder(names: readonly string[]): string[] {
  const items = names.flatMap((name) => {
    const [, priority, , sequence] = shape.exec(name) ?? []
    return priority === undefined ? [] : [{ name, priority: Number(priority), sequence: Number(sequence) }]
  })
  items.sort((one, other) => one.priority - other.priority || (one.sequence - other.sequence) | 0)
  return items.map(({ name }) => name)
}

/**
 * What a taker has seen of the queue and not tried yet. A listing costs as much as the queue is long, so one listing serves
 * many takes: until it is used up or `ageMsMax` old.
 */
export class SeenItems {
  #names: string[] = []
  #next = 0
  #seenAtMs = -Infinity

  /** `items` less what is locked. */
  see(items: readonly string[], locks: readonly string[], nowMs: number): void {
    const locked = new Set(locks)
    this.#names = inOrder(items).filter((name) => !locked.has(name))
    this.#next = 0
    this.#seenAtMs = nowMs
  }

  fresh(nowMs: number, ageMsMax: number): boolean {
    return this.#next < this.#names.length && nowMs - this.#seenAtMs < ageMsMax
  }

  forget(): void {
    this.#names = []
  }

  /** The next to try, each once. */
  shift(): string | undefined {
    const name = this.#names[this.#next]
    this.#next += 1
    return name
  }
}
