// The assigners that are asked: those of the settings, and those that they name. Agents speak no ZooKeeper, so they ask at
// intervals which assigners there are; what was learned is kept on disk, so that an agent finds its way when all assigners
// of its settings have been replaced.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { entryPointsAnswerSchema, parseJson } from '@catchment/protocol'
import {
  asError,
  codeOf,
  sleep,
  writeFileDurably,
  type Clock,
  type HttpClient,
  type Log,
  type Random,
} from '@catchment/runtime'
import { formatVersion } from '../data/formats.ts'

/** Assigners that are kept beside those of the settings; of more, the first. */
export const learnedMax = 32
const askTimeoutMs = 5_000

export interface AssignersOptions {
  /** Of the settings: always asked first after a start, and never forgotten. */
  readonly seeds: readonly string[]
  readonly http: HttpClient
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly directory: string
  /** The interval, with jitter, at which to ask which assigners there are. */
  readonly refreshMs: number
}

const urlSchema = z.url({ protocol: /^https?$/ })
const savedSchema = z.object({
  version: z.literal(formatVersion).optional(),
  seeds: z.array(z.string()),
  learned: z.array(urlSchema).max(learnedMax),
})

export class Assigners {
  readonly #options: AssignersOptions
  #learned: readonly string[] = []
  #origin: string

  constructor(options: AssignersOptions) {
    this.#options = options
    this.#origin = options.seeds[0] ?? ''
  }

  /** The assigner to ask: the last one to answer, until it fails. */
  get origin(): string {
    return this.#origin
  }

  get all(): readonly string[] {
    return [...new Set([...this.#options.seeds, ...this.#learned])]
  }

  /** `origin` did not answer, or knows less than others: the next one. */
  failed(origin: string): void {
    if (origin !== this.#origin) return
    const { all } = this
    this.#origin = all[(all.indexOf(origin) + 1) % all.length] ?? origin
  }

  /** What was learned before. With other settings than then it is another cluster's, and counts for nothing. */
  async load(): Promise<void> {
    const { seeds, log } = this.#options
    try {
      const saved = parseJson(savedSchema, await readFile(this.#path, 'utf8'), this.#path)
      if (JSON.stringify(saved.seeds) === JSON.stringify(seeds)) this.#learned = saved.learned
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOENT')
        log.warn('what was learned of assigners cannot be read', { reason: asError(thrown).message })
    }
  }

  /** Asks until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, refreshMs } = this.#options
    for (;;) {
      await this.#refresh(signal)
      await sleep(clock, refreshMs * (0.75 + random.float() / 2), signal)
    }
  }

  /** Asks one after the other until one answers that is not cut off. */
  async #refresh(signal: AbortSignal): Promise<void> {
    for (let tries = this.all.length; tries > 0; tries -= 1) {
      const asked = this.#origin
      try {
        const learned = await this.#ask(asked, signal)
        if (learned.length > 0) {
          await this.#learn(learned)
          return
        }
      } catch (thrown) {
        signal.throwIfAborted()
        this.#options.log.debug('cannot ask for entry points', { assigner: asked, reason: asError(thrown).message })
      }
      this.failed(asked)
    }
  }

  /** Empty when it knows nothing for certain. */
  async #ask(origin: string, signal: AbortSignal): Promise<string[]> {
    const url = `${origin}/v1/entry-points`
    const answer = await this.#options.http.request({ method: 'GET', url, timeoutMs: askTimeoutMs, signal })
    if (answer.status !== 200) throw new Error(`it answered ${answer.status}`)
    const { stale, entryPoints } = parseJson(entryPointsAnswerSchema, answer.body.toString(), url)
    return stale ? [] : entryPoints.map((entryPoint) => entryPoint.url.replace(/\/+$/, ''))
  }

  async #learn(urls: readonly string[]): Promise<void> {
    const { seeds, log } = this.#options
    const learned = [...new Set(urls)].filter((url) => !seeds.includes(url)).slice(0, learnedMax)
    if (JSON.stringify(learned) === JSON.stringify(this.#learned)) return
    this.#learned = learned
    if (!this.all.includes(this.#origin)) this.#origin = this.all[0] ?? ''
    log.info('the assigners beside those of the settings are', { learned })
    try {
      await writeFileDurably(this.#path, JSON.stringify({ version: formatVersion, seeds, learned }))
    } catch (thrown) {
      log.warn('cannot remember the assigners', { reason: asError(thrown).message })
    }
  }

  get #path(): string {
    return join(this.#options.directory, 'assigners.json')
  }
}
