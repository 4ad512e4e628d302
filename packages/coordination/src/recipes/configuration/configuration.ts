import { asError } from '@catchment/runtime'
import { ignoring, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, callRules, is } from '../../session/contract/given.ts'
import { ConfigurationVersions, type Published } from './configuration-versions.ts'
import { notify } from '../../session/contract/notify.ts'
import { followLatest } from '../../following/follow-latest.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import { untilWritten } from '../../attempts/until-written.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

const historyMaxDefault = 10

export interface ConfigurationOptions<T> {
  /** The persistent node of the configuration; made if it is missing. */
  readonly path: string
  /**
   * Makes a value of what JSON gave, or throws: a function of one's own, or the `parse` of a schema. Not an async one: a
   * Promise is refused with `bad-arguments`.
   */
  readonly parse: (json: unknown) => T
  /** Who publishes, for the history. */
  readonly id: string
  /** How many versions are kept, the current one included; 10 unless given. The latest who publishes decides. */
  readonly historyMax?: number
}

const optionRules = is.options<ConfigurationOptions<unknown>>({
  path: is.pathBelowRoot,
  parse: is.callback,
  id: is.that('is text without line breaks', (value) => typeof value === 'string' && !/[\r\n]/.test(value)),
  historyMax: is.optional(is.wholeNumber(1)),
})

export interface PublishOptions extends CallOptions {
  /** Publishes only if this is the current version, 0 if there was none; rejects with `bad-version` otherwise. */
  readonly expectedVersion?: number
}

const publishOptions = is.optional(
  is.options<PublishOptions>({ ...callRules, expectedVersion: is.optional(is.wholeNumber(0)) }),
)

export interface FollowConfigurationOptions<T> {
  /** Undefined and 0 while nothing was ever published; a value of version 0 was written by hand. */
  readonly onValue: (value: T | undefined, version: number) => void
  /** A version that does not parse; the last one that did stands. */
  readonly onInvalid?: (error: Error, version: number) => void
  readonly onStale?: (stale: boolean) => void
}

const followRules = is.options<FollowConfigurationOptions<unknown>>({
  onValue: is.callback,
  onInvalid: is.optional(is.callback),
  onStale: is.optional(is.callback),
})

export interface FollowedConfiguration<T> {
  /** The last good one. */
  readonly current: { readonly value: T; readonly version: number } | undefined
  readonly stale: boolean
  close(): Promise<void>
}

export interface Configuration<T> {
  /** Undefined where nothing was ever published. Rejects with `refused` where `parse` throws, which is the `cause`. */
  get(options?: CallOptions): Promise<{ readonly value: T; readonly version: number } | undefined>
  /** The current version as it was published, whether it parses or not. */
  current(options?: CallOptions): Promise<Published | undefined>
  /** Resolves with the version that it has become: one more than the version before. */
  publish(value: unknown, options?: PublishOptions): Promise<number>
  /** Publishes again what `version` was, from 1. Rejects with `no-node` if it is not kept any more. */
  rollBack(version: number, options?: PublishOptions): Promise<number>
  /** The versions that are kept, newest first. */
  history(options?: CallOptions): Promise<Published[]>
  /** Throws `bad-arguments`. */
  follow(options: FollowConfigurationOptions<T>): FollowedConfiguration<T>
}

/**
 * A value that all shall know, with versions, history and a way back.
 *
 * Protocol, below `path`: `versions/<version>`, ten digits, is what was published: who and, on lines of their own, the JSON.
 * Which one is current says the version of `path` itself, whose data is that JSON, for people. JSON that someone writes
 * there by hand is the next version, without a place in the history. Publishing is one transaction: `path` is set at the version that
 * was read, the next version created, and those that fall out of the history deleted. Followers watch `path` alone.
 *
 * Guarantees: versions grow by one with each publication, without gaps, and the history holds exactly what was published,
 * by whom and when (by the server's clock). A publication happens once, its answer lost or not: then its token in the history
 * shows it. Outcome `unknown` are only: an end by deadline, signal or close() while it was under way, and a lost answer with more
 * than `historyMax` publications of others since. Followers see versions grow, the latest at least; some may be skipped.
 * What does not parse is refused with `bad-arguments` by this publisher; published by another, it is reported to `onInvalid`.
 *
 * Suspended or lost: followers keep the last good value and are notified that it is stale; calls go on when connected again,
 * without limit unless `timeoutMs` is given. A value of more than about 500 kB as JSON is refused with `too-large`.
 *
 * Throws `bad-arguments`.
 */
export function configuration<T>(session: ZooKeeperSession, options: ConfigurationOptions<T>): Configuration<T> {
  assertGiven('make configuration', { session, options }, { options: optionRules })
  const { path, id } = options
  const parse = (json: unknown): T => options.parse(json)
  const historyMax = options.historyMax ?? historyMaxDefault
  const versions = new ConfigurationVersions(session, { path, id, historyMax })

  async function publish(value: unknown, publishing: PublishOptions = {}): Promise<number> {
    const attempt = `publish ${path}`
    assertGiven(attempt, { options: publishing }, { options: publishOptions })
    return await write(attempt, value, publishing)
  }

  async function write(attempt: string, value: unknown, publishing: PublishOptions): Promise<number> {
    const { expectedVersion, ...call } = publishing
    const json = checkedJson(attempt, value, parse)
    const publication = { attempt, json, expectedVersion }
    return await untilWritten(session, attempt, (left) => versions.publish(publication, left), call)
  }

  async function current(call: CallOptions = {}): Promise<Published | undefined> {
    assertGiven(`read configuration ${path}`, { options: call }, { options: callOptions })
    const read = async (each: CallOptions): Promise<Published | undefined> => {
      await session.sync(path, each)
      return await versions.current(each)
    }
    return await untilAnswered(session, read, call)
  }

  return {
    publish,
    current,
    get: async (call) => {
      const published = await current(call)
      return published === undefined
        ? undefined
        : { value: valueOf(`read configuration ${path}`, published, parse), version: published.version }
    },
    rollBack: async (version, publishing = {}) => {
      const rules = { version: is.wholeNumber(1), options: publishOptions }
      assertGiven(`roll back ${path}`, { version, options: publishing }, rules)
      const left = sharedDeadline(session, publishing)
      const kept = await ignoring(versions.read(version, left), 'no-node')
      if (kept === undefined) {
        const why = `roll back ${path}: version ${version} is not kept; history() has those that are`
        throw new ZooKeeperError('no-node', why)
      }
      const attempt = `roll back ${path} to version ${version}`
      const value = valueOf(attempt, kept, (json) => json)
      return await write(attempt, value, left)
    },
    history: async (call = {}) => {
      assertGiven(`read the history of ${path}`, { options: call }, { options: callOptions })
      return await versions.history(sharedDeadline(session, call))
    },
    follow: (following) => {
      assertGiven(`follow configuration ${path}`, { options: following }, { options: followRules })
      return followConfiguration(session, options, versions, following)
    },
  }
}

function followConfiguration<T>(
  session: ZooKeeperSession,
  options: ConfigurationOptions<T>,
  versions: ConfigurationVersions,
  follow: FollowConfigurationOptions<T>,
): FollowedConfiguration<T> {
  const { path } = options
  let current: { readonly value: T; readonly version: number } | undefined
  const callback = `a follower of configuration ${path}`
  const deliver = (published: Published | undefined): void => {
    const version = published?.version ?? 0
    try {
      if (published !== undefined)
        current = { value: noPromise(`follow configuration ${path}`, options.parse(published.json())), version }
      notify(session.log, callback, follow.onValue.bind(follow), published && current?.value, version)
    } catch (thrown) {
      notify(session.log, callback, (error) => follow.onInvalid?.(error, version), asError(thrown))
    }
  }
  const followed = followLatest<Published | undefined>(session, {
    ...{ name: `configuration ${path}`, path, options: follow },
    turn: ({ watch, signal, generation }) => versions.current({ signal, generation }, watch),
    // By time too: servers that lost their data count from the start again.
    keyOf: (published) => published && `${published.version} ${published.atMs}`,
    onChange: deliver,
  })
  return {
    get current() {
      return current
    },
    get stale() {
      return followed.stale
    },
    close: () => followed.close(),
  }
}

/** Throws `refused` where `parse` throws: that is in the tree, and no caller's fault. */
function valueOf<T>(attempt: string, published: Published, parse: (json: unknown) => T): T {
  let value: T
  try {
    value = parse(published.json())
  } catch (thrown) {
    const why = `${attempt}: version ${published.version} does not parse: ${asError(thrown).message}`
    throw new ZooKeeperError('refused', `${why}; publish another, or rollBack()`, { cause: thrown })
  }
  return noPromise(attempt, value)
}

function checkedJson(attempt: string, value: unknown, parse: (json: unknown) => unknown): string {
  const json = jsonOf(attempt, value)
  let parsed: unknown
  try {
    parsed = parse(JSON.parse(json))
  } catch (thrown) {
    const why = `${attempt}: the value does not parse: ${asError(thrown).message}`
    throw new ZooKeeperError('bad-arguments', why, { cause: thrown })
  }
  noPromise(attempt, parsed)
  return json
}

function jsonOf(attempt: string, value: unknown): string {
  try {
    const json: unknown = JSON.stringify(value)
    if (typeof json === 'string') return json
    throw new TypeError(`JSON.stringify() gives ${String(json)}`)
  } catch (thrown) {
    const why = asError(thrown).message.replaceAll(/\s+/g, ' ')
    throw new ZooKeeperError('bad-arguments', `${attempt}: the value is nothing that JSON can hold: ${why}`, {
      cause: thrown,
    })
  }
}

/** What `parse` has returned. A Promise would check nothing, and no one would hear of its rejection. */
function noPromise<T>(attempt: string, value: T): T {
  if (typeof value !== 'object' || value === null || !('then' in value) || typeof value.then !== 'function')
    return value
  Promise.resolve(value).catch(() => undefined)
  throw new ZooKeeperError('bad-arguments', `${attempt}: parse returned a Promise; it returns the value or throws`)
}
