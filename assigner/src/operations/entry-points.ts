// Assigners are found by service discovery: each announces where it answers, and each answers with what all have announced.

import {
  announceService,
  followService,
  isCode,
  type Announcement,
  type Endpoint,
  type FollowedService,
  type ZooKeeperSession,
} from '@catchment/coordination'
import {
  assignerEndpointSchema,
  assignerServiceName,
  parseJson,
  ProtocolError,
  type AssignerEndpoint,
  type EntryPointsAnswer,
  type TreePaths,
} from '@catchment/protocol'
import { Background, sleep, type Log } from '@catchment/runtime'

export interface EntryPointsOptions {
  readonly session: ZooKeeperSession
  readonly paths: TreePaths
  readonly id: string
  readonly log: Log
}

/** While the place of an earlier process of this id is still taken: until its session has ended. */
const announceAgainMs = 1_000

export class EntryPoints {
  readonly #options: EntryPointsOptions
  readonly #background: Background
  #followed: FollowedService | undefined
  #announcement: Announcement | undefined

  constructor(options: EntryPointsOptions) {
    this.#options = options
    this.#background = new Background((name, error) => {
      options.log.error(`${name} failed`, { reason: error.stack })
    })
  }

  /** Follows all, and announces `url` in the background: what ZooKeeper refuses for now is tried again. */
  start(url: string): void {
    const { session, paths } = this.#options
    this.#followed = followService(session, { ...this.#service(paths), onEndpoints: () => undefined })
    this.#background.run('announcing', (signal) => this.#announce(url, signal))
  }

  list(): EntryPointsAnswer {
    const { endpoints = [], stale = true } = this.#followed ?? {}
    const entryPoints = endpoints.flatMap((endpoint) => {
      const read = this.#read(endpoint)
      return read === undefined ? [] : [{ id: endpoint.id, url: read.url }]
    })
    return { stale, entryPoints }
  }

  async close(): Promise<void> {
    await this.#background.close()
    await this.#followed?.close()
    if (this.#options.session.state === 'connected') await this.#announcement?.withdraw()
  }

  async #announce(url: string, signal: AbortSignal): Promise<void> {
    const { session, paths, id, log } = this.#options
    const incarnation = Buffer.from(session.random.bytes(8)).toString('hex')
    const own: AssignerEndpoint = { url, startedAt: session.clock.now(), incarnation }
    for (;;) {
      try {
        this.#announcement = await announceService(session, {
          ...this.#service(paths),
          id,
          endpoint: Buffer.from(JSON.stringify(own)),
          replaces: (existing) => isEarlier(this.#read({ id, data: Buffer.from(existing) }), own),
        })
        return
      } catch (thrown) {
        signal.throwIfAborted()
        if (!isCode(thrown, 'refused')) throw thrown
        log.warn('another process announces itself under this id, again soon', { id })
      }
      await sleep(session.clock, announceAgainMs, signal)
    }
  }

  #service({ services }: TreePaths): { readonly path: string; readonly name: string } {
    return { path: services, name: assignerServiceName }
  }

  /** Undefined for what is none: others' mistakes must not hide the rest. */
  #read({ id, data }: Endpoint): AssignerEndpoint | undefined {
    try {
      return parseJson(assignerEndpointSchema, data.toString(), `the endpoint of ${id}`)
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown
      this.#options.log.debug('cannot understand an endpoint', { reason: thrown.message })
      return undefined
    }
  }
}

/** The later start takes the name; what cannot be understood is in no one's way. */
function isEarlier(existing: AssignerEndpoint | undefined, own: AssignerEndpoint): boolean {
  return existing === undefined || existing.startedAt < own.startedAt
}
