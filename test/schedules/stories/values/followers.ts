import { followChildren, followTree, followValue, type Tree, type ZooKeeperSession } from '@catchment/coordination'
import { withoutAddWatch } from '../../../../packages/coordination/test/world/without-add-watch.ts'
import type { Member } from '../../world/member.ts'
import type { Story } from '../story.ts'
import { followedRoot as root, Writer } from './tree-writer.ts'

const horizonMs = 30_000

/** What one follower shows at this instant, by the number of the write that it stems from. */
interface Shown {
  readonly member: Member
  readonly name: string
  readonly stale: () => boolean
  /** Whether it was the truth at some moment from `sinceMs` on. */
  readonly trueSince: (sinceMs: number) => boolean
}

/**
 * A writer says in each transaction its number, in the root and in the leaves that it touches; so a tree can be checked by
 * itself. A whole tree is as the transaction of its root left it; nothing that is delivered goes back; what is shown and not
 * called stale is no older than a lease; refresh() brings everything that was written before; when all is calm everyone
 * shows the truth. Every second member has a server that knows no addWatch.
 */
export const followers: Story = {
  recipe: 'followers',
  members: 3,
  horizonMs,
  start: (world) => {
    const writer = new Writer(world, horizonMs)
    const shown = new Set<Shown>()
    const wrong: string[] = []
    return {
      play: async (member) => {
        writer.start()
        const old = Number(member.name.slice(1)) % 2 === 0
        const session = old ? withoutAddWatch(member.session) : member.session
        while (!member.over()) {
          const following = follow(member, session, { writer, shown, wrong })
          const staysMs = 2_000 + member.random.float() * 20_000
          const untilMs = world.nowMs() + staysMs < horizonMs ? world.nowMs() + staysMs : Infinity
          while (!member.over() && world.nowMs() < untilMs) {
            await member.sleep(member.random.float() * 3_000)
            await following.refresh()
          }
          if (member.over()) for (const one of following.shown) demandTruth(one, writer, wrong)
          await following.close()
        }
        await writer.ended
      },
      check: () => {
        const sinceMs = world.nowMs() - world.sessionTimeoutMs - readingMsMax
        for (const { member, name, stale, trueSince } of shown)
          if (member.awake && !stale() && !trueSince(sinceMs))
            wrong.push(`${member.name} shows an old ${name} and does not call it stale`)
        if (wrong[0] !== undefined) throw new Error(wrong[0])
      },
    }
  },
}

/** From the change in the tree to its delivery, while all is well. */
const readingMsMax = 500

interface Judged {
  readonly writer: Writer
  readonly shown: Set<Shown>
  readonly wrong: string[]
}

interface Followed {
  readonly shown: readonly Shown[]
  refresh(): Promise<void>
  close(): Promise<void>
}

function follow(member: Member, session: ZooKeeperSession, { writer, shown, wrong }: Judged): Followed {
  let value = -1
  let names: string | undefined
  let last = { tree: '', root: -1, whole: true }
  const say = (what: string): void => {
    wrong.push(`${member.name}: ${what}`)
  }
  const followedValue = followValue(session, root, {
    onValue: (data) => {
      const next = numberOf(data)
      if (next < value) say(`the value goes from ${value} back to ${next}`)
      value = next
    },
  })
  const followedChildren = followChildren(session, root, { onChildren: (found) => (names = found.join()) })
  const followedTree = followTree(session, root, {
    onTree: ({ tree, whole, changes }) => {
      const next = numberOf(tree.get(root)?.data)
      if (next < last.root) say(`the tree goes from ${last.root} back to ${next}`)
      last = { tree: describe(tree), root: next, whole }
      if (whole && last.tree !== writer.treeOf(next)) say(`write ${next} left ${writer.treeOf(next)}, not ${last.tree}`)
      for (const [path, node] of changes) if (tree.get(path) !== node) say(`${path} is not as the changes say`)
    },
  })
  const all: Shown[] = [
    { member, name: 'value', stale: () => followedValue.stale, trueSince: (ms) => writer.valueSince(value, ms) },
    { member, name: 'list', stale: () => followedChildren.stale, trueSince: (ms) => writer.namesSince(names, ms) },
    {
      member,
      name: 'tree',
      stale: () => followedTree.stale,
      trueSince: (ms) => (last.whole ? writer.treeSince(last.tree, ms) : writer.valueSince(last.root, ms)),
    },
  ]
  for (const one of all) shown.add(one)
  return {
    shown: all,
    refresh: async () => {
      const before = writer.last
      await member.attempt('refresh', async () => {
        await Promise.all([followedValue.refresh(), followedTree.refresh()])
        if (value < before || last.root < before) say(`${before} was written, refresh brings ${value} and ${last.root}`)
      })
    },
    close: async () => {
      for (const one of all) shown.delete(one)
      await Promise.all([followedValue.close(), followedChildren.close(), followedTree.close()])
    },
  }
}

function demandTruth({ member, name, stale, trueSince }: Shown, writer: Writer, wrong: string[]): void {
  if (!member.awake) return
  if (stale()) wrong.push(`${member.name} calls its ${name} stale when all is calm`)
  if (!trueSince(writer.lastMs)) wrong.push(`${member.name} does not show the ${name} that is true in the end`)
}

function numberOf(data: Buffer | undefined): number {
  return data === undefined ? -1 : Number(data.toString())
}

function describe(tree: Tree): string {
  return [...tree]
    .map(([path, { data }]) => `${path}=${data.toString()}`)
    .sort()
    .join(' ')
}
