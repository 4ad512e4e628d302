import { collectorStatusAnswerSchema, type TreeAnswer } from '@catchment/protocol'
import { asError, defineCommand, type BoundCommand } from '@catchment/runtime'
import { assignerSettings, withAssigner, type AssignerClient } from '../client/assigner-client.ts'
import { askTree } from '../client/tree-feed.ts'
import { paletteOf } from '../view/palette.ts'
import { statusLines, statusOf, type CollectorReport } from '../view/status-view.ts'

/** How many collectors are asked at a time. */
const askedAtOnceMax = 16

export function statusCommand(): BoundCommand {
  return defineCommand({
    name: 'status',
    help: 'Show the state of the cluster, problems first, with what to do about them',
    settings: assignerSettings,
    run: async ({ assigner }, { signal, json, print, colours }) => {
      await withAssigner(assigner, async (client) => {
        const tree = await askTree(client, signal)
        const status = statusOf(tree, await askCollectors(client, tree, signal))
        const lines = json ? [JSON.stringify(status)] : statusLines(tree, status, paletteOf(colours))
        for (const line of lines) print(line)
      })
    },
  })
}

async function askCollectors(
  client: AssignerClient,
  tree: TreeAnswer,
  signal: AbortSignal,
): Promise<readonly CollectorReport[]> {
  const alive = tree.collectors.flatMap(({ id, state, url }) =>
    state === 'gone' || url === undefined ? [] : [{ id, url }],
  )
  const reports: CollectorReport[] = []
  for (let from = 0; from < alive.length; from += askedAtOnceMax)
    reports.push(
      ...(await Promise.all(alive.slice(from, from + askedAtOnceMax).map((one) => askCollector(client, one, signal)))),
    )
  return reports
}

async function askCollector(
  client: AssignerClient,
  { id, url }: { readonly id: string; readonly url: string },
  signal: AbortSignal,
): Promise<CollectorReport> {
  const request = { method: 'GET', path: '/v1/status', schema: collectorStatusAnswerSchema, signal } as const
  try {
    return { id, status: await client.askCollector(url, request), failure: undefined }
  } catch (thrown) {
    signal.throwIfAborted()
    return { id, status: undefined, failure: asError(thrown).message }
  }
}
