import { ZooKeeperError } from '../session/contract/errors.ts'
import type { Stat } from '../session/contract/nodes.ts'

export interface TreeNode {
  readonly data: Buffer
  /** As it was when the data was read; what it says of children may be older. */
  readonly stat: Stat
}

/** By path, the followed node among them. */
export type Tree = ReadonlyMap<string, TreeNode>
/** By path; undefined: it is gone. */
export type TreeChanges = ReadonlyMap<string, TreeNode | undefined>

/** What one read of one node found. */
export interface ReadNode extends TreeNode {
  readonly names: readonly string[]
}

export interface TreeBounds {
  readonly nodesMax: number
  readonly bytesMax: number
  /** Asked of every path below the root: false leaves it out, with all that is below it. */
  readonly includes: (path: string) => boolean
}

/** Why a node is to be read: an event named it, or everything has to be looked at again. */
export type Cause = 'event' | 'verify'

interface CopiedNode {
  node: TreeNode
  readonly names: Set<string>
}

/**
 * A tree being read: what is known, what has to be read, and what has changed since it was last taken. It is a tree at every
 * moment: a node that is found before its parent is left out, and found again when the parent is read.
 */
export class TreeCopy {
  readonly #root: string
  readonly #bounds: TreeBounds
  readonly #entries = new Map<string, CopiedNode>()
  readonly #toRead = new Map<string, Cause>()
  #changes = new Map<string, TreeNode | undefined>()
  #bytes = 0

  constructor(root: string, bounds: TreeBounds) {
    this.#root = root
    this.#bounds = bounds
  }

  mark(path: string, cause: Cause): void {
    if (this.#toRead.get(path) !== 'verify' && this.#isIncluded(path)) this.#toRead.set(path, cause)
  }

  /** Everything that is known is to be read again, and with it what is not. */
  markAll(): void {
    this.mark(this.#root, 'verify')
    for (const path of this.#entries.keys()) this.mark(path, 'verify')
  }

  /** Whether anything is to be read; with a cause, for that cause. */
  due(cause?: Cause): boolean {
    return cause === undefined ? this.#toRead.size > 0 : [...this.#toRead.values()].includes(cause)
  }

  /** What is to be read; what becomes due from now on counts again. */
  takeDue(): Map<string, Cause> {
    const due = new Map(this.#toRead)
    this.#toRead.clear()
    return due
  }

  takeChanges(): Map<string, TreeNode | undefined> {
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  /** Takes in what a read found; undefined: no node. Throws `too-large` at a limit, and the path is to be read again. */
  found(path: string, read: ReadNode | undefined, cause: Cause): void {
    const parent = this.#entries.get(parentOf(path))
    if (read === undefined) this.#remove(path, parent)
    else if (path === this.#root || parent !== undefined) this.#put(path, read, { parent, cause })
  }

  #put(path: string, read: ReadNode, { parent, cause }: { parent: CopiedNode | undefined; cause: Cause }): void {
    const known = this.#entries.get(path)
    const moreBytes = read.data.length - (known?.node.data.length ?? 0)
    this.#demandRoom(path, known === undefined ? 1 : 0, moreBytes, cause)
    this.#bytes += moreBytes
    const entry = known ?? { node: read, names: new Set() }
    if (known === undefined || !sameChange(known.node.stat, read.stat)) {
      entry.node = { data: read.data, stat: read.stat }
      this.#changes.set(path, entry.node)
    }
    this.#entries.set(path, entry)
    parent?.names.add(nameOf(path))
    this.#compareNames(path, entry, new Set(read.names), cause)
  }

  #compareNames(path: string, entry: CopiedNode, names: ReadonlySet<string>, cause: Cause): void {
    for (const name of entry.names) if (!names.has(name)) this.#remove(childOf(path, name), entry)
    for (const name of names) if (!entry.names.has(name)) this.mark(childOf(path, name), cause)
  }

  #remove(path: string, parent: CopiedNode | undefined): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    for (const name of entry.names) this.#remove(childOf(path, name), undefined)
    this.#entries.delete(path)
    this.#bytes -= entry.node.data.length
    this.#changes.set(path, undefined)
    parent?.names.delete(nameOf(path))
  }

  #isIncluded(path: string): boolean {
    for (let above = path; above !== this.#root; above = parentOf(above))
      if (!this.#bounds.includes(above)) return false
    return true
  }

  #demandRoom(path: string, nodes: number, bytes: number, cause: Cause): void {
    const { nodesMax, bytesMax } = this.#bounds
    if (this.#entries.size + nodes <= nodesMax && this.#bytes + bytes <= bytesMax) return
    this.mark(path, cause)
    throw new ZooKeeperError(
      'too-large',
      `follow the tree ${this.#root}: at most ${nodesMax} nodes and ${bytesMax} bytes of data, ${path} is too much; ` +
        'follow a smaller tree, or raise nodesMax and bytesMax',
    )
  }
}

/** By time too: a server that lost its data numbers its transactions from the start again. */
function sameChange(one: Stat, other: Stat): boolean {
  return one.mzxid === other.mzxid && one.mtimeMs === other.mtimeMs
}

function childOf(path: string, name: string): string {
  return path === '/' ? `/${name}` : `${path}/${name}`
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function parentOf(path: string): string {
  const end = path.lastIndexOf('/')
  return end === 0 ? '/' : path.slice(0, end)
}
