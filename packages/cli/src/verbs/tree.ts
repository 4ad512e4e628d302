import type { TreeAnswer } from '@catchment/protocol'
import { defineCommand, realClock, toggleSetting, type BoundCommand, type RunContext } from '@catchment/runtime'
import { assignerSettings, withAssigner } from '../client/assigner-client.ts'
import { askTree, followTree, type TreeNews } from '../client/tree-feed.ts'
import { paletteOf, type Palette } from '../view/palette.ts'
import { timeOfDay } from '../view/time.ts'
import { treeChanges } from '../view/tree-changes.ts'
import { groupsThatFit, treeLines } from '../view/tree-view.ts'

/** Groups below each collector without `--all`, where nothing else limits them. */
const groupsShown = 10

const settings = {
  ...assignerSettings,
  watch: toggleSetting({ help: 'keep running and show changes' }),
  all: toggleSetting({ help: 'show every group, not only the busiest ones' }),
}

export function treeCommand(): BoundCommand {
  return defineCommand({
    name: 'tree',
    help: 'Show which collector serves which groups, with loads and states',
    settings,
    run: async ({ assigner, watch, all }, context) => {
      await withAssigner(assigner, async (client) => {
        const palette = paletteOf(context.colours)
        if (!watch) {
          const tree = await askTree(client, context.signal)
          const lines = context.json
            ? [JSON.stringify(tree)]
            : treeLines(tree, { palette, groupsMax: all ? Infinity : groupsShown })
          for (const line of lines) context.print(line)
          return
        }
        const screen = context.json
          ? jsonScreen(context)
          : process.stdout.isTTY
            ? redrawing(palette, all)
            : appending(context, palette, all)
        try {
          for await (const news of followTree(client, realClock, context.signal)) screen.show(news)
        } finally {
          screen.end()
        }
      })
    },
  })
}

interface Screen {
  readonly show: (news: TreeNews) => void
  readonly end: () => void
}

function jsonScreen({ print }: RunContext): Screen {
  return {
    show: (news) => {
      if (news.type === 'tree') print(JSON.stringify(news.tree))
      if (news.type === 'lost') process.stderr.write(`${JSON.stringify({ lost: news.reason })}\n`)
    },
    end: () => undefined,
  }
}

/** The whole tree first, then a line per change: for a file or a pipe. */
function appending({ print }: RunContext, palette: Palette, all: boolean): Screen {
  let before: TreeAnswer | undefined
  const now = (): string => timeOfDay(realClock.now())
  return {
    show: (news) => {
      if (news.type === 'lost') print(`${now()}  ${palette.bad('lost the assigner')}: ${news.reason}`)
      if (news.type === 'found') print(`${now()}  ${palette.good('the assigner answers again')}`)
      if (news.type !== 'tree') return
      const lines =
        before === undefined
          ? treeLines(news.tree, { palette, groupsMax: all ? Infinity : groupsShown })
          : treeChanges(before, news.tree, palette).map((line) => `${now()}  ${line}`)
      before = news.tree
      for (const line of lines) print(line)
    },
    end: () => undefined,
  }
}

const clear = '\u001b[H\u001b[J'
const wrapOff = '\u001b[?7l'
const wrapOn = '\u001b[?7h'
const recentMax = 6

/** The tree in place, its last changes below it. Lines past the edge are cut by the terminal. */
function redrawing(palette: Palette, all: boolean): Screen {
  let tree: TreeAnswer | undefined
  let lost: string | undefined
  const recent: string[] = []
  const draw = (): void => {
    if (tree === undefined) return
    const rows = process.stdout.rows - recentMax - 3
    const groupsMax = all ? Infinity : groupsThatFit(tree, rows)
    const lines = treeLines(tree, { palette, groupsMax })
    const below = lost === undefined ? recent : [...recent, palette.bad(`lost the assigner: ${lost}`)]
    const foot = [...(below.length === 0 ? [] : ['', ...below]), palette.dim('Ctrl-C ends this view')]
    process.stdout.write(`${clear}${wrapOff}${[...lines, ...foot].join('\n')}\n${wrapOn}`)
  }
  process.stdout.on('resize', draw)
  return {
    show: (news) => {
      lost = news.type === 'lost' ? news.reason : undefined
      if (news.type === 'tree') {
        const changes = tree === undefined ? [] : treeChanges(tree, news.tree, palette)
        recent.push(...changes.map((line) => `${timeOfDay(realClock.now())}  ${line}`))
        recent.splice(0, recent.length - recentMax)
        tree = news.tree
      }
      draw()
    },
    end: () => {
      process.stdout.off('resize', draw)
    },
  }
}
