// A cluster of real processes on this machine: the vocabulary of the cluster tests and of the benchmarks.

import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson, treeAnswerSchema, type TreeAnswer } from '@catchment/protocol'
import { patienceMs } from '@catchment/testing'
import { Program, type ProgramKind } from './program.ts'

export interface ClusterOptions {
  /** An empty directory of its own. */
  readonly directory: string
  /** `host:port` of a ZooKeeper that runs; without it an embedded server is started as a process. */
  readonly zookeeper?: string
  readonly assigners: number
  readonly collectors: number
  readonly agentArgs: readonly string[]
  readonly sessionTimeoutMs?: number
  readonly graceMs?: number
  readonly root?: string
  readonly collectorArgs?: readonly string[]
  /** Words before a collector's command. */
  readonly beforeCollector?: (data: string) => readonly string[]
}

/** A named member: its process now, or none while it is dead. */
export class Member {
  readonly id: string
  program: Program | undefined
  readonly #start: () => Promise<Program>

  constructor(id: string, start: () => Promise<Program>) {
    this.id = id
    this.#start = start
  }

  get alive(): boolean {
    return this.program?.running === true
  }

  async start(): Promise<void> {
    this.program = await this.#start()
  }

  async kill(): Promise<void> {
    await this.program?.kill()
  }

  async stop(): Promise<void> {
    const clean = (await this.program?.stop()) ?? true
    if (!clean) throw new Error(`${this.id} did not end within its grace after SIGTERM`)
  }
}

export class Cluster implements AsyncDisposable {
  readonly options: ClusterOptions
  readonly collectors: Member[] = []
  readonly assigners: Member[] = []
  readonly agent: Member
  readonly mirror: string
  #zookeeper: Program | undefined
  #servers = ''
  readonly #assignerPorts = new Map<string, string>()

  constructor(options: ClusterOptions) {
    this.options = options
    this.mirror = join(options.directory, 'out')
    for (let i = 1; i <= options.assigners; i += 1) this.assigners.push(this.#assigner(`a${i}`))
    for (let i = 1; i <= options.collectors; i += 1) this.collectors.push(this.#collector(`c${i}`))
    this.agent = this.anAgent('agent-1', options.agentArgs)
  }

  /**
   * An agent of this cluster, not yet started; but for `agent` its user ends it. The assigners of its settings are those of
   * its first start.
   */
  anAgent(id: string, args: readonly string[]): Member {
    let seeds = ''
    return new Member(id, () => {
      if (seeds === '') seeds = this.assignerUrls().join(',')
      const common = ['--assigner', seeds, '--id', id, '--data', this.data(id)]
      return this.#program('agent', id, [...common, ...args])
    })
  }

  /** One more assigner, not yet started; ends with the cluster. */
  anAssigner(id: string): Member {
    const member = this.#assigner(id)
    this.assigners.push(member)
    return member
  }

  /** `host:port` of the ZooKeeper. */
  get zookeeper(): string {
    return this.#servers
  }

  async start(): Promise<void> {
    mkdirSync(join(this.options.directory, 'logs'), { recursive: true })
    if (this.options.zookeeper === undefined) await this.#startZooKeeper(0)
    else this.#servers = this.options.zookeeper
    // One after the other: the first assigner leads, and clusters of tests side by side do not start all at once.
    for (const member of [...this.assigners, ...this.collectors]) await member.start()
  }

  /** The embedded server dies; `meanwhile` it is away; it comes back on its port without any data. */
  async loseZooKeeper(meanwhile: () => Promise<void>): Promise<void> {
    const port = this.#zookeeper?.ready.port
    if (port === undefined) throw new Error('the embedded ZooKeeper of this cluster does not run')
    await this.#zookeeper?.kill()
    rmSync(this.data('zookeeper'), { recursive: true })
    await meanwhile()
    await this.#startZooKeeper(port)
  }

  /** Ends everything, cleanly where it can; throws when a program did not end by itself. */
  async stop(): Promise<void> {
    const failures: unknown[] = []
    for (const members of [[this.agent], this.collectors, this.assigners])
      for (const result of await Promise.allSettled(members.map((member) => member.stop())))
        if (result.status === 'rejected') failures.push(result.reason)
    await this.#zookeeper?.stop()
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join('; '))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  data(id: string): string {
    return join(this.options.directory, 'data', id)
  }

  logOf(id: string): string {
    return join(this.options.directory, 'logs', `${id}.log`)
  }

  /** The log lines of a member that say `message`, over all of its lives. */
  logged(id: string, message: string): Record<string, unknown>[] {
    return readFileSync(this.logOf(id), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('{') && line.includes(message))
      .flatMap((line) => parsedLine(line))
      .filter((line) => line['message'] === message)
  }

  logFiles(): string[] {
    return readdirSync(join(this.options.directory, 'logs'))
  }

  assignerUrls(): string[] {
    return [...this.#assignerPorts.values()].map((address) => `http://${address}`)
  }

  /** What the first assigner that answers says of the tree. */
  async tree(): Promise<TreeAnswer> {
    const failures: string[] = []
    for (const url of this.assignerUrls()) {
      try {
        const answer = await fetch(`${url}/v1/tree`, { signal: AbortSignal.timeout(patienceMs) })
        if (answer.ok) return parseJson(treeAnswerSchema, await answer.text(), url)
        failures.push(`${url}: ${answer.status}`)
      } catch (thrown) {
        failures.push(`${url}: ${String(thrown)}`)
      }
    }
    throw new Error(`no assigner answers: ${failures.join('; ')}`)
  }

  async #startZooKeeper(port: number): Promise<void> {
    const args = ['--data', this.data('zookeeper'), '--port', String(port)]
    this.#zookeeper = await this.#program('zookeeper', 'zookeeper', args)
    this.#servers = `127.0.0.1:${this.#zookeeper.ready.port ?? 0}`
  }

  #assigner(id: string): Member {
    return new Member(id, async () => {
      const listen = this.#assignerPorts.get(id) ?? '127.0.0.1:0'
      const program = await this.#program('assigner', id, [
        ...this.#common(id),
        ...['--listen', listen, '--grace', String(this.options.graceMs ?? 60_000)],
      ])
      this.#assignerPorts.set(id, new URL(program.ready.url ?? '').host)
      return program
    })
  }

  #collector(id: string): Member {
    return new Member(id, () => {
      const { collectorArgs = [], beforeCollector } = this.options
      const places = ['--listen', '127.0.0.1:0', '--data', this.data(id), '--mirror', this.mirror]
      const before = beforeCollector?.(this.data(id))
      return this.#program('collector', id, [...this.#common(id), ...places, ...collectorArgs], before)
    })
  }

  #common(id: string): string[] {
    const session = String(this.options.sessionTimeoutMs ?? 4000)
    return [
      '--zookeeper',
      this.#servers,
      '--root',
      this.options.root ?? '/logs',
      '--id',
      id,
      '--session-timeout',
      session,
    ]
  }

  #program(kind: ProgramKind, id: string, args: readonly string[], before?: readonly string[]): Promise<Program> {
    return Program.start(kind, args, this.logOf(id), before)
  }
}

function parsedLine(line: string): Record<string, unknown>[] {
  const value: unknown = JSON.parse(line)
  return typeof value === 'object' && value !== null ? [{ ...value }] : []
}
