import { ignoring } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { notify } from '../../session/contract/notify.ts'
import { followMembers } from '../../following/follow-members.ts'
import { joinMembership, type Membership } from './membership.ts'
import { getOrUndefined } from '../../attempts/get-or-undefined.ts'
import { untilAnswered } from '../../attempts/until-answered.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

/** One instance of a service: who, and what its users need to reach it, as it wrote it. */
export interface Endpoint {
  readonly id: string
  readonly data: Buffer
}

export interface AnnounceServiceOptions {
  /** The persistent node of all services; made if it is missing. */
  readonly path: string
  /** Of the service: the name that is resolved. */
  readonly name: string
  /** Of this instance: no one else's of this name. An earlier incarnation's is in the way until its session is over. */
  readonly id: string
  /** Where and how it is reached, JSON or what its users read. */
  readonly endpoint: Uint8Array
  /** Whether what stands there under this id may be replaced: an older incarnation of this instance. Never unless given. */
  readonly replaces?: (existing: Uint8Array) => boolean
}

const announceRules = is.options<AnnounceServiceOptions>({
  path: is.pathBelowRoot,
  name: is.name,
  id: is.name,
  endpoint: is.bytes,
  replaces: is.optional(is.callback),
})

export interface Announcement {
  /** Whether it is in the tree, as far as is known. */
  readonly held: boolean
  update(endpoint: Uint8Array): Promise<void>
  /** Ends, and removes it. Resolves when it is gone or its session over; never rejects. */
  withdraw(): Promise<void>
}

export interface FollowServiceOptions {
  readonly path: string
  readonly name: string
  /** All instances, by id. Called first when all have been read once, then on change. */
  readonly onEndpoints: (endpoints: readonly Endpoint[]) => void
  /** True while cut off: the last list stands, for that we are cut off says nothing about those that we use. */
  readonly onStale?: (stale: boolean) => void
}

const followRules = is.options<FollowServiceOptions>({
  path: is.pathBelowRoot,
  name: is.name,
  onEndpoints: is.callback,
  onStale: is.optional(is.callback),
})

export interface FollowedService {
  /** The last list; undefined until the first. */
  readonly endpoints: readonly Endpoint[] | undefined
  readonly stale: boolean
  /** Sync, then read: resolves with nothing older than this call. */
  refresh(): Promise<readonly Endpoint[]>
  close(): Promise<void>
}

/**
 * Announces an instance of a service for as long as the process lives. Source: Curator's service discovery.
 *
 * Protocol: an ephemeral `<path>/<name>/<id>` with the endpoint, kept as joinMembership keeps it: lost with the session and
 * made again in the next, refused if another holds it. `<path>/<name>` is a container: a name without instances vanishes by
 * itself after a while. So names come and go as they are announced.
 */
export async function announceService(
  session: ZooKeeperSession,
  options: AnnounceServiceOptions,
): Promise<Announcement> {
  assertGiven('announce service', { session, options }, { options: announceRules })
  const { path, name, id, endpoint } = options
  const membership: Membership = await joinMembership(session, {
    path: `${path}/${name}`,
    pathMode: 'container',
    name: id,
    data: endpoint,
    replaces: (existing) => options.replaces?.(existing) === true,
  })
  return {
    get held() {
      return membership.held
    },
    update: (data) => membership.update(data),
    withdraw: () => membership.leave(),
  }
}

/**
 * Follows the instances of a service, which need not exist yet; each change wakes every follower, as it has to.
 * Suspended or lost: `onStale(true)`, and the last list stands until it has been read again.
 *
 * Throws `bad-arguments`.
 */
export function followService(session: ZooKeeperSession, options: FollowServiceOptions): FollowedService {
  assertGiven('follow service', { session, options }, { options: followRules })
  const { path, name } = options
  let endpoints: readonly Endpoint[] | undefined
  const followed = followMembers(session, `${path}/${name}`, {
    name: '',
    onMembers: (members) => {
      const present = presentOf(members)
      if (same(present, endpoints)) return
      endpoints = present
      notify(session.log, `onEndpoints of ${path}/${name}`, options.onEndpoints.bind(options), present)
    },
    onStale: (stale) => options.onStale?.(stale),
  })
  return {
    get endpoints() {
      return endpoints
    },
    get stale() {
      return followed.stale
    },
    refresh: async () => presentOf(await followed.refresh()),
    close: () => followed.close(),
  }
}

interface ServiceName {
  readonly path: string
  readonly name: string
}

const serviceRules = is.options<ServiceName>({ path: is.pathBelowRoot, name: is.name })
const servicesRules = is.options<Pick<ServiceName, 'path'>>({ path: is.pathBelowRoot })

/** Reads the instances once, by id: none for a name that no one announces. Sees what was announced before this call. */
export async function resolveService(
  session: ZooKeeperSession,
  options: ServiceName,
  call: CallOptions = {},
): Promise<readonly Endpoint[]> {
  assertGiven('resolve service', { session, options, call }, { options: serviceRules, call: callOptions })
  const { path, name } = options
  const service = `${path}/${name}`
  const left = sharedDeadline(session, call)
  await untilAnswered(session, (each) => session.sync(path, each), left)
  const ids = await childrenOf(session, service, left)
  const read = ids.map(async (id) => {
    const found = await untilAnswered(session, (each) => getOrUndefined(session, `${service}/${id}`, each), left)
    return [id, found?.data] as const
  })
  return presentOf(new Map(await Promise.all(read)))
}

/** The names that are announced, in order; one whose last instance has just gone may still be among them. */
export async function listServices(
  session: ZooKeeperSession,
  options: Pick<ServiceName, 'path'>,
  call: CallOptions = {},
): Promise<readonly string[]> {
  assertGiven('list services', { session, options, call }, { options: servicesRules, call: callOptions })
  const { path } = options
  const left = sharedDeadline(session, call)
  await untilAnswered(session, (each) => session.sync(path, each), left)
  return (await childrenOf(session, path, left)).sort()
}

async function childrenOf(session: ZooKeeperSession, path: string, call: CallOptions): Promise<string[]> {
  const listing = untilAnswered(session, (each) => session.children(path, each), call)
  return (await ignoring(listing, 'no-node'))?.names ?? []
}

function presentOf(members: ReadonlyMap<string, Buffer | undefined>): readonly Endpoint[] {
  return [...members]
    .flatMap(([id, data]) => (data === undefined ? [] : [{ id, data }]))
    .sort((one, other) => (one.id < other.id ? -1 : 1))
}

function same(some: readonly Endpoint[], others: readonly Endpoint[] | undefined): boolean {
  return (
    some.length === others?.length &&
    some.every(({ id, data }, index) => id === others[index]?.id && data.equals(others[index].data))
  )
}
