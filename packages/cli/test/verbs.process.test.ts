import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { TreeAnswer } from '@catchment/protocol'
import { startHttpServer, type HttpServer, type Route } from '@catchment/runtime'
import {
  collectingLog,
  eventually,
  startProcess,
  tempDirectory,
  type ChildProcess,
  type TempDirectory,
} from '@catchment/testing'
import { even, lent } from './sample-tree.ts'

const main = new URL('../src/main.ts', import.meta.url).pathname

/** A small assigner: its tree can be changed, and who listens hears of it. */
class Assigner implements AsyncDisposable {
  tree: TreeAnswer = even
  readonly asked: { path: string; body: unknown }[] = []
  readonly #server: HttpServer
  readonly #listeners: Set<(tree: TreeAnswer) => void>

  constructor(server: HttpServer, listeners: Set<(tree: TreeAnswer) => void>) {
    this.#server = server
    this.#listeners = listeners
  }

  static async start(options: { events: boolean; listen?: string }): Promise<Assigner> {
    const listeners = new Set<(tree: TreeAnswer) => void>()
    const routes: Route[] = [
      { method: 'GET', path: '/v1/tree', handle: () => ({ json: assigner.tree }) },
      {
        method: 'GET',
        path: '/v1/groups/:group/explain',
        handle: ({ params }) => ({
          json: { group: params['group'], epoch: 1, how: 'unknown', decisions: [] },
        }),
      },
      {
        method: 'POST',
        path: '/v1/rebalance',
        handle: ({ body }) => {
          assigner.asked.push({ path: '/v1/rebalance', body })
          return { json: { epoch: 4, published: false, imbalanceBefore: 1, imbalanceAfter: 1, moves: [] } }
        },
      },
    ]
    if (options.events)
      routes.push({
        method: 'GET',
        path: '/v1/events',
        handle: ({ signal }) => ({ events: treesAsTheyCome(listeners, signal) }),
      })
    const listen = options.listen ?? '127.0.0.1:0'
    const server = await startHttpServer({ listen, routes, log: collectingLog(), insecure: false })
    const assigner = new Assigner(server, listeners)
    return assigner
  }

  get url(): string {
    return this.#server.url
  }

  /** Somebody follows the events. */
  get isFollowed(): boolean {
    return this.#listeners.size > 0
  }

  become(tree: TreeAnswer): void {
    this.tree = tree
    for (const listener of this.#listeners) listener(tree)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.close()
  }
}

async function* treesAsTheyCome(
  listeners: Set<(tree: TreeAnswer) => void>,
  signal: AbortSignal,
): AsyncGenerator<{ event: string; data: unknown }> {
  while (!signal.aborted) {
    const tree = await new Promise<TreeAnswer | undefined>((resolve) => {
      listeners.add(resolve)
      signal.addEventListener('abort', () => {
        resolve(undefined)
      })
    })
    if (tree !== undefined) yield { event: 'tree', data: tree }
  }
}

/** A home of its own, and the verbs that run there; they end with it. */
class Home implements AsyncDisposable {
  readonly path: string
  readonly #directory: TempDirectory
  readonly #started: ChildProcess[] = []

  private constructor(directory: TempDirectory) {
    this.path = directory.path
    this.#directory = directory
  }

  static async make(): Promise<Home> {
    return new Home(await tempDirectory())
  }

  catchment(words: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = startProcess(process.execPath, [main, ...words], { environment: { HOME: this.path, ...environment } })
    this.#started.push(child)
    return child
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) await child.kill()
    await this.#directory.remove()
  }
}

describe('how the verbs find the assigner', () => {
  test('by --assigner before CATCHMENT_ASSIGNER before the file of the last up', async () => {
    await using home = await Home.make()
    await using assigner = await Assigner.start({ events: false })
    const nowhere = 'http://127.0.0.1:1'
    const state = join(home.path, '.local', 'state', 'catchment')
    await mkdir(state, { recursive: true })
    const lastUp = (url: string): Promise<void> =>
      writeFile(join(state, 'last-up.json'), JSON.stringify({ pid: 1, data: '/d', out: '/d/out', assigners: [url] }))
    await lastUp(nowhere)
    const byFlag = home.catchment(['tree', '--assigner', assigner.url], { CATCHMENT_ASSIGNER: nowhere })
    const byEnvironment = home.catchment(['tree'], { CATCHMENT_ASSIGNER: assigner.url })
    expect([(await byFlag.ended).code, (await byEnvironment.ended).code]).toEqual([0, 0])
    expect(byFlag.output.stdout).toContain('/logs  epoch 11')
    const stale = home.catchment(['tree'])
    expect((await stale.ended).code).toBe(1)
    expect(stale.output.stderr).toMatch(/no assigner answers at http:\/\/127\.0\.0\.1:1: .*last "catchment up"/)
    await lastUp(assigner.url)
    expect((await home.catchment(['tree']).ended).code).toBe(0)
  })

  test('where there is none: exit 1, and what to do', async () => {
    await using home = await Home.make()
    const child = home.catchment(['status'])
    expect((await child.ended).code).toBe(1)
    expect(child.output.stderr).toMatch(/"catchment up" has not run here.*--assigner/)
  })

  test('goes on to the next of several when the first does not answer', async () => {
    await using home = await Home.make()
    await using assigner = await Assigner.start({ events: false })
    const child = home.catchment(['tree', '--json', '--assigner', `http://127.0.0.1:1,${assigner.url}`])
    expect((await child.ended).code).toBe(0)
    expect(JSON.parse(child.output.stdout)).toEqual(even)
  })

  test('an answer of another form is refused, naming the URL', async () => {
    await using home = await Home.make()
    await using assigner = await Assigner.start({ events: false })
    Object.assign(assigner, { tree: { hello: 'world' } })
    const child = home.catchment(['tree', '--assigner', assigner.url])
    expect((await child.ended).code).toBe(1)
    expect(child.output.stderr).toContain(`the answer of ${assigner.url}/v1/tree does not have the expected form`)
  })
})

test('catchment explain, rebalance and status ask their routes', async () => {
  await using home = await Home.make()
  await using assigner = await Assigner.start({ events: false })
  const environment = { CATCHMENT_ASSIGNER: assigner.url }
  const explain = home.catchment(['explain', 'tmp/a b.log'], environment)
  const rebalance = home.catchment(['rebalance', '--mode', 'global', '--dry-run'], environment)
  const status = home.catchment(['status', '--json'], environment)
  const codes = [await explain.ended, await rebalance.ended, await status.ended].map(({ code }) => code)
  expect(codes).toEqual([0, 0, 0])
  expect(explain.output.stdout).toContain('tmp/a%20b.log is not known')
  expect(assigner.asked).toEqual([{ path: '/v1/rebalance', body: { mode: 'global', dryRun: true } }])
  expect(JSON.parse(status.output.stdout)).toMatchObject({ groups: 3, groupsUnserved: 0, collectorsServing: 2 })
})

describe('catchment tree --watch', () => {
  test('prints the tree, then what changes, by events; loses the assigner and finds it again', async () => {
    await using home = await Home.make()
    const first = await Assigner.start({ events: true })
    const child = home.catchment(['tree', '--watch', '--assigner', first.url])
    await child.line((line) => line.includes('db.log'))
    await untilFollowed(first)
    first.become(lent)
    await child.line((line) => line.endsWith('db.log  c2 → c1, on loan from c2'))
    await first[Symbol.asyncDispose]()
    await child.line((line) => line.includes('lost the assigner'))
    await using second = await Assigner.start({ events: false, listen: new URL(first.url).host })
    second.become(lent)
    await child.line((line) => line.includes('the assigner answers again'))
    second.become(even)
    await child.line((line) => line.endsWith('db.log  c1 → c2, the loan has ended'))
    child.signal('SIGINT')
    expect((await child.ended).code).toBe(0)
  })

  test('--json prints one tree per line', async () => {
    await using home = await Home.make()
    await using assigner = await Assigner.start({ events: true })
    const child = home.catchment(['tree', '--watch', '--json', '--assigner', assigner.url])
    await child.line((line) => line.includes('"epoch":11'))
    await untilFollowed(assigner)
    assigner.become(lent)
    expect(JSON.parse(await child.line((line) => line.includes('"epoch":12')))).toEqual(lent)
  })
})

async function untilFollowed(assigner: Assigner): Promise<void> {
  await eventually('the watch to listen', () => assigner.isFollowed)
}
