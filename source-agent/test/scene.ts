// A temporary folder, a fake cluster, and an agent that follows the folder's logs.

import { mkdtemp, mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, realClock, realRandom } from '@catchment/runtime'
import { patienceMs } from '@catchment/testing'
import { startAgent, type SourceAgent } from '../src/agent.ts'
import { openAgentData } from '../src/data/agent-data.ts'
import { contentOf, FakeAssigner, FakeCollector } from './fake-cluster.ts'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly [field: string]: unknown
}

export class Scene {
  readonly root: string
  readonly logs: string
  readonly collectors = [new FakeCollector('c1'), new FakeCollector('c2')] as const
  readonly assigner = new FakeAssigner()
  readonly logged: LogLine[] = []
  agent: SourceAgent | undefined

  private constructor(root: string) {
    this.root = root
    this.logs = join(root, 'logs')
  }

  static async open(): Promise<Scene> {
    const scene = new Scene(await mkdtemp(join(tmpdir(), 'agent-')))
    await mkdir(scene.logs)
    for (const collector of scene.collectors) await collector.start()
    scene.assigner.byDefault = scene.collectors[0]
    await scene.assigner.start()
    return scene
  }

  async start(
    given: { follow?: string[]; from?: 'start' | 'end'; partialFlushMs?: number; machine?: string } = {},
  ): Promise<SourceAgent> {
    const directory = join(this.root, 'data')
    await mkdir(directory, { recursive: true })
    const destination = { write: (line: string) => this.logged.push(JSON.parse(line) as LogLine) }
    const log = createLog({ program: 'agent', level: 'debug', destination })
    const data = { id: 'h1', machine: given.machine ?? 'm1', random: realRandom, log }
    const opened = await openAgentData(directory, data)
    this.agent = await startAgent({
      ...{ identity: opened.identity, assigners: [this.assigner.url], directory, log },
      ...{
        clock: realClock,
        random: realRandom,
        workingDirectory: this.root,
        rescanMs: 150,
        requestTimeoutMs: 2000,
        assignersRefreshMs: 60_000,
      },
      follow: given.follow ?? ['logs/*.log'],
      exclude: [],
      from: given.from ?? 'start',
      partialFlushMs: given.partialFlushMs ?? 300,
      groupOf: () => 'g',
    })
    return this.agent
  }

  async stop(graceMs = 2000): Promise<void> {
    await this.agent?.stop(graceMs)
    this.agent = undefined
  }

  async close(): Promise<void> {
    await this.stop(0)
    for (const collector of this.collectors) await collector.stop()
    await this.assigner.stop()
    await rm(this.root, { recursive: true, force: true })
  }

  path(name: string): string {
    return join(this.logs, name)
  }

  /** The contents of all streams of the followed path, gaps as NULs. Undefined in place of one with a hole. */
  generations(name: string): (string | undefined)[] {
    const ids = new Set<string>()
    for (const collector of this.collectors)
      for (const [id, { path }] of collector.streams) if (path === this.path(name)) ids.add(id)
    return [...ids].map((id) => contentOf(id, this.collectors)?.toString('latin1'))
  }

  /** Waits until `holds`; the collectors' stores and time drive it. Fails after `timeoutMs`. */
  async until(holds: () => boolean, what: string, timeoutMs = patienceMs): Promise<void> {
    const end = Date.now() + timeoutMs
    while (!holds()) {
      if (Date.now() > end) throw new Error(`not within ${timeoutMs} ms: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async arrives(name: string, contents: readonly string[]): Promise<void> {
    const wanted = JSON.stringify([...contents].sort())
    const now = (): string => JSON.stringify(this.generations(name).toSorted())
    await this.until(() => now() === wanted, name).catch((thrown: unknown) => {
      const lengths = (texts: readonly (string | undefined)[]): string =>
        texts.map((text) => text?.length ?? 'holes').join()
      const recent = this.logged.filter(({ level }) => level !== 'debug').slice(-12)
      throw new Error(
        `${thrown instanceof Error ? thrown.message : ''}: lengths ${lengths(contents)}, but ${lengths(this.generations(name))}; log ${JSON.stringify(recent)}`,
      )
    })
  }

  messages(message: string): LogLine[] {
    return this.logged.filter((line) => line.message === message)
  }
}
