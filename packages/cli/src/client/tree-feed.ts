// The tree as it changes: events where they come, a question each second where they do not.

import { parseJson, treeAnswerSchema, type TreeAnswer } from '@catchment/protocol'
import { asError, sleep, type Clock } from '@catchment/runtime'
import type { AssignerClient } from './assigner-client.ts'
import { eventsAt } from './event-stream.ts'

const pollIntervalMs = 1_000

export type TreeNews =
  | { readonly type: 'tree'; readonly tree: TreeAnswer }
  /** The assigner does not answer; said once, until it is found again. */
  | { readonly type: 'lost'; readonly reason: string }
  | { readonly type: 'found' }

/**
 * Trees until `signal` aborts; the first at once. A stream that breaks is replaced by asking each second, and opened
 * again each time that is answered. Throws what the first question throws: who never answered was not lost.
 */
export async function* followTree(client: AssignerClient, clock: Clock, signal: AbortSignal): AsyncGenerator<TreeNews> {
  yield { type: 'tree', tree: await askTree(client, signal) }
  let lost = false
  while (!signal.aborted) {
    if (!lost) yield* streamed(client, signal)
    if (isAborted(signal)) return
    await sleep(clock, pollIntervalMs, signal)
    try {
      const tree = await askTree(client, signal)
      if (lost) yield { type: 'found' }
      lost = false
      yield { type: 'tree', tree }
    } catch (thrown) {
      if (isAborted(signal)) return
      if (!lost) yield { type: 'lost', reason: asError(thrown).message }
      lost = true
    }
  }
}

export function askTree(client: AssignerClient, signal: AbortSignal): Promise<TreeAnswer> {
  return client.ask({ method: 'GET', path: '/v1/tree', schema: treeAnswerSchema, signal })
}

/** Trees from the event stream until it breaks. Whether the assigner still answers is found out by the next request. */
async function* streamed(client: AssignerClient, signal: AbortSignal): AsyncGenerator<TreeNews> {
  const [url = ''] = client.urls()
  const events = eventsAt(`${url}/v1/events`, signal)
  for (;;) {
    const next = await events.next().catch(() => undefined)
    if (next === undefined || next.done === true) return
    const { event, data } = next.value
    if (event === 'tree') yield { type: 'tree', tree: parseJson(treeAnswerSchema, data, 'a tree event') }
  }
}

/** Asked through a call: TypeScript takes a signal's state for lasting. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted
}
