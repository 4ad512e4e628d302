// What is configured in the tree: read and written for operators, and followed. What cannot be used is reported and changes
// nothing: the last good value stands.

import {
  configuration,
  isCode,
  type Configuration,
  type FollowedConfiguration,
  type Published,
  type PublishOptions,
  type ZooKeeperSession,
} from '@catchment/coordination'
import {
  configurationProblem,
  configurations,
  configurationVersionsMax,
  isConfigurationName,
  policySchema,
  type ConfigurationAnswer,
  type ConfigurationHistory,
  type ConfigurationName,
  type ConfigurationRequest,
  type ConfigurationVersion,
  type Policy,
  type Problem,
  type RollbackRequest,
  type TreePaths,
} from '@catchment/protocol'
import { asError, CatchmentError, type Log } from '@catchment/runtime'
import { callTimeoutMs } from './command-queue.ts'

const call = { timeoutMs: callTimeoutMs }

export interface ConfigurationsOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  /** Of this assigner, for the history. */
  readonly id: string
  readonly log: Log
}

export class Configurations {
  readonly #options: ConfigurationsOptions
  readonly #listeners = new Set<(policy: Policy | undefined) => void>()
  #followed: FollowedConfiguration<Policy> | undefined
  #policy: Policy | undefined
  #problem: Problem | undefined

  constructor(options: ConfigurationsOptions) {
    this.#options = options
  }

  /** The last good one; undefined until there was one. */
  get policy(): Policy | undefined {
    return this.#policy
  }

  get problems(): readonly Problem[] {
    return this.#problem === undefined ? [] : [this.#problem]
  }

  /** Called with the last good policy, if there was one, when it or what is wrong with a later one may have changed. */
  onChange(listener: (policy: Policy | undefined) => void): void {
    this.#listeners.add(listener)
  }

  start(): void {
    const { log } = this.#options
    this.#followed = this.#configuration('policy', this.#options.id, parsePolicy).follow({
      onValue: (value, version) => {
        this.#problem = undefined
        if (value !== undefined) this.#policy = value
        if (value !== undefined) log.info('the policy is', { ...value, version })
        this.#changed()
      },
      onInvalid: (error, version) => {
        log.error('the policy cannot be used; the last good one stands', { version, reason: error.message })
        this.#problem = {
          what: `version ${version} of the policy cannot be used; the last good one stands`,
          todo: 'catchment config history policy, then catchment config rollback policy VERSION',
        }
        this.#changed()
      },
    })
  }

  /**
   * The first leader of all writes the policy down, and one that leads after the tree was lost the last that it knew; from
   * then on the tree's counts.
   */
  async prepare(first: Policy): Promise<void> {
    const policy = this.#raw('policy')
    const current = await policy.current()
    if (current === undefined) {
      try {
        await policy.publish(this.#policy ?? first, { expectedVersion: 0 })
      } catch (thrown) {
        if (!isCode(thrown, 'bad-version')) throw thrown
      }
    } else {
      // The follower may not have it yet, and plans are about to be made.
      const { value, problem } = versionOf('policy', current)
      if (problem !== undefined) return
      this.#policy = parsePolicy(value)
      this.#changed()
    }
  }

  /** Throws CatchmentError `unknown-configuration` (the peer's), as all that follow. */
  async get(text: string): Promise<ConfigurationAnswer> {
    const name = known(text)
    const current = await this.#raw(name).current(call)
    return { name, ...(current !== undefined && { current: versionOf(name, current) }) }
  }

  async history(text: string): Promise<ConfigurationHistory> {
    const name = known(text)
    const versions = await this.#raw(name).history(call)
    return { name, versions: versions.map((published) => versionOf(name, published)) }
  }

  /** Throws CatchmentError `bad-value`, or ZooKeeperError `bad-version`, whose text says what is current. */
  async set(text: string, { value, by, expect }: ConfigurationRequest): Promise<ConfigurationAnswer> {
    const name = known(text)
    refuseUnusable(name, value)
    await this.#raw(name, by).publish(value, expected(expect))
    return await this.get(name)
  }

  async rollBack(text: string, { version, by, expect }: RollbackRequest): Promise<ConfigurationAnswer> {
    const name = known(text)
    const raw = this.#raw(name, by)
    const kept = await raw.history(call)
    const found = kept.find((published) => published.version === version)
    if (found === undefined)
      throw new CatchmentError(
        'unknown-version',
        `${name} has no version ${version}: kept are ${kept.map((one) => one.version).join(', ')}`,
        { blame: 'peer' },
      )
    refuseUnusable(name, versionOf(name, found).value)
    await raw.rollBack(version, expected(expect))
    return await this.get(name)
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }

  #changed(): void {
    for (const listener of this.#listeners) listener(this.#policy)
  }

  #raw(name: ConfigurationName, by = this.#options.id): Configuration<unknown> {
    return this.#configuration(name, by, (json) => json)
  }

  #configuration<T>(name: ConfigurationName, by: string, parse: (json: unknown) => T): Configuration<T> {
    const { session, paths } = this.#options
    return configuration(session, { path: paths.configOf(name), parse, id: by, historyMax: configurationVersionsMax })
  }
}

function parsePolicy(json: unknown): Policy {
  return policySchema.parse(json)
}

function known(name: string): ConfigurationName {
  if (isConfigurationName(name)) return name
  throw new CatchmentError(
    'unknown-configuration',
    `there is no configuration ${name}: there is ${Object.keys(configurations).join(', ')}`,
    { blame: 'peer' },
  )
}

function refuseUnusable(name: ConfigurationName, value: unknown): void {
  const problem = configurationProblem(name, value, 'published')
  if (problem !== undefined)
    throw new CatchmentError('bad-value', `that cannot be the ${name}: ${problem}`, { blame: 'peer' })
}

function expected(version: number | undefined): PublishOptions {
  return version === undefined ? call : { ...call, expectedVersion: version }
}

function versionOf(name: ConfigurationName, published: Published): ConfigurationVersion {
  const { version, by, atMs } = published
  try {
    const value = published.json()
    const problem = configurationProblem(name, value, 'followed')
    return { version, by, at: atMs, value, ...(problem !== undefined && { problem }) }
  } catch (thrown) {
    return { version, by, at: atMs, value: undefined, problem: asError(thrown).message }
  }
}
