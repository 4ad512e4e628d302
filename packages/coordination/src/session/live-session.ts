// The session as its users have it: turns their calls into requests, and what the keeper and the server report into events.
// How it lives over connections stands in keeper.ts, how calls wait in calls.ts, who listens to what in watches.ts.

import { asError, type Clock, type Random } from '@catchment/runtime'
import type { Identity } from '@catchment/zookeeper-wire'
import { Calls, type CallHooks } from './calls/calls.ts'
import { isCode, sessionClosed, ignoring, ZooKeeperError } from './contract/errors.ts'
import { assertCallOptions, assertGiven, assertReadOptions, is, rightLimits } from './contract/given.ts'
import { Keeper } from './connection/keeper.ts'
import type * as nodes from './contract/nodes.ts'
import type { Acl, Created, CreateMode, Operation, ReadOperation, Stat, Version } from './contract/nodes.ts'
import { credentialsRule, wholeOptions, type WholeOptions } from './contract/options.ts'
import { authenticate, requestBytesMax, Requests, whoAmI, type Request } from './requests/requests.ts'
import { parseServers } from './connection/servers.ts'
import type * as face from './contract/session.ts'
import type { CallOptions, CreateOptions, Credentials, ReadOptions, ZooKeeperSession } from './contract/session.ts'
import * as trees from './trees.ts'
import { Watching } from './watches/watching.ts'
import type { Connection } from './connection/zookeeper.ts'

interface End {
  readonly code: 'closed' | 'auth-failed'
  readonly why: string
}

/**
 * Connects and resolves with a session that reconnects and renews itself until close(). Rejects with `unreachable` (blame:
 * operator), naming each server and why, when none answers within `connectTimeoutMs`; with `auth-failed`; and with
 * `bad-arguments` for options that cannot work.
 */
export async function openSession(options: face.SessionOptions): Promise<ZooKeeperSession> {
  const whole = wholeOptions(options)
  const session = new LiveSession(whole)
  try {
    await session.opened(whole.connectTimeoutMs)
    return session
  } catch (thrown) {
    await session.close()
    throw thrown
  }
}

class LiveSession implements ZooKeeperSession {
  readonly clock: Clock
  readonly random: Random
  readonly log: face.SessionLog
  readonly #chroot: string
  readonly #requests: Requests
  readonly #keeper: Keeper
  readonly #calls: Calls
  readonly #watching: Watching
  /** By what they are, so that the same are shown once. */
  readonly #credentials = new Map<string, Credentials>()
  /** Why there will be no more calls. */
  #end: End | undefined
  readonly #closed: PromiseWithResolvers<void> = Promise.withResolvers()

  constructor(options: WholeOptions) {
    const { servers, chroot } = parseServers(options.servers)
    this.clock = options.clock
    this.random = options.random
    this.log = options.log
    this.#chroot = chroot
    this.#requests = new Requests(chroot)
    this.#calls = new Calls(options.clock)
    for (const credentials of options.auth) this.#credentials.set(...keyed(credentials))
    this.#keeper = new Keeper(options, servers, {
      onAttached: (connection) => {
        this.#prepare(connection)
      },
      onConnected: (connection, again) => {
        if (again) this.#watching.notifyMissed()
        this.#calls.attach(connection)
      },
      onDisconnected: () => {
        this.#calls.detach()
      },
      onLost: (reason) => {
        this.#calls.failWaiting('session-lost', reason)
        return this.#watching.lose()
      },
      onWatch: ({ type, path }) => {
        this.#watching.onEvent({ type, path: this.#requests.local(path) })
      },
    })
    this.#watching = new Watching({
      calls: this.#calls,
      requests: this.#requests,
      log: this.log,
      watchesMax: options.watchesMax,
      call: (request, callOptions, hooks) =>
        this.#call(
          () => request,
          callOptions,
          () => hooks,
        ),
      reconnect: (reason) => {
        this.#keeper.reconnect(reason)
      },
    })
    this.#keeper.start()
  }

  get state(): face.SessionState {
    return this.#keeper.state
  }

  get sessionId(): string | undefined {
    return this.#keeper.sessionId
  }

  get generation(): number {
    return this.#keeper.generation
  }

  get sessionTimeoutMs(): number {
    return this.#keeper.timeoutMs
  }

  onState(listener: (state: face.SessionState) => void): () => void {
    assertGiven('listen to the state', { listener }, { listener: is.callback })
    return this.#keeper.states.listen(listener)
  }

  /** Resolves when it is connected for the first time and its credentials, if any, are accepted. */
  async opened(timeoutMs: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + timeoutMs
    await this.#connected(timeoutMs)
    while (this.#credentials.size > 0)
      try {
        await this.sync('/', { timeoutMs: endMs - this.clock.monotonicMs() }) // its answer comes after theirs
        return
      } catch (thrown) {
        if (this.#end !== undefined) throw this.#refused('open a session')
        if (isCode(thrown, 'timeout')) throw this.#keeper.unreachable(timeoutMs)
        if (!isCode(thrown, 'connection-lost', 'session-lost')) throw thrown
      }
  }

  #connected(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.clock.after(timeoutMs, () => {
        unsubscribe()
        reject(this.#keeper.unreachable(timeoutMs))
      })
      const unsubscribe = this.onState((state) => {
        if (state !== 'connected' && state !== 'closed') return
        timer.cancel()
        unsubscribe()
        if (state === 'connected') resolve()
        else reject(this.#refused('open a session'))
      })
    })
  }

  create(path: string, data: Uint8Array, mode?: CreateMode, options: CreateOptions = {}): Promise<string> {
    return this.#call(() => this.#requests.create(path, data, mode, options), options)
  }

  createWithStat(path: string, data: Uint8Array, mode?: CreateMode, options: CreateOptions = {}): Promise<Created> {
    return this.#call(() => this.#requests.createWithStat(path, data, mode, options), options)
  }

  get(path: string, options?: ReadOptions): Promise<{ data: Buffer; stat: Stat }> {
    return this.#read('data', path, () => this.#requests.get(path), options)
  }

  set(path: string, data: Uint8Array, version: Version, options?: CallOptions): Promise<Stat> {
    return this.#call(() => this.#requests.set(path, data, version), options)
  }

  delete(path: string, version: Version, options?: CallOptions): Promise<void> {
    return this.#call(() => this.#requests.delete(path, version), options)
  }

  exists(path: string, options?: ReadOptions): Promise<Stat | undefined> {
    return ignoring(
      this.#read('exist', path, () => this.#requests.exists(path), options),
      'no-node',
    )
  }

  children(path: string, options?: ReadOptions): Promise<{ names: string[]; stat: Stat }> {
    return this.#read('child', path, () => this.#requests.children(path), options)
  }

  descendantCount(path: string, options?: CallOptions): Promise<number> {
    return this.#call(() => this.#requests.descendantCount(path), options)
  }

  ephemerals(path: string, options?: CallOptions): Promise<string[]> {
    return this.#call(() => this.#requests.ephemerals(path), options)
  }

  sync(path: string, options?: CallOptions): Promise<void> {
    return this.#call(() => this.#requests.sync(path), options)
  }

  // The answer has a result in the place of each operation: what `multi` and `multiRead` say in their types.
  multi<const T extends readonly Operation[]>(operations: T, options?: CallOptions): Promise<nodes.OperationResults<T>>
  async multi(operations: readonly Operation[], options?: CallOptions): Promise<readonly nodes.OperationResult[]> {
    return isEmpty(operations) ? [] : await this.#call(() => this.#requests.multi(operations), options)
  }

  multiRead<const T extends readonly ReadOperation[]>(
    operations: T,
    options?: CallOptions,
  ): Promise<face.ReadResults<T>>
  async multiRead(operations: readonly ReadOperation[], options?: CallOptions): Promise<readonly face.ReadResult[]> {
    return isEmpty(operations) ? [] : await this.#call(() => this.#requests.multiRead(operations), options)
  }

  async ensurePath(path: string, options?: CallOptions): Promise<void> {
    try {
      await trees.ensurePath(this, path, options)
    } catch (thrown) {
      if (this.#chroot === '' || !isCode(thrown, 'no-node')) throw thrown
      await trees.ensurePath(this.#outside(), this.#chroot, options)
      await trees.ensurePath(this, path, options)
    }
  }

  deleteTree(path: string, options?: CallOptions): Promise<void> {
    return trees.deleteTree(this, path, options)
  }

  addWatch(path: string, listener: face.WatchListener, options: face.WatchOptions = {}): Promise<face.PersistentWatch> {
    return this.#watching.add(path, listener, options)
  }

  unwatch(path: string, listener: face.WatchListener, options?: CallOptions): Promise<void> {
    return this.#watching.unwatch(path, listener, options)
  }

  unwatchAll(listener: face.WatchListener, options?: CallOptions): Promise<void> {
    return this.#watching.unwatchAll(listener, options)
  }

  getAcl(path: string, options?: CallOptions): Promise<{ acl: Acl[]; stat: Stat }> {
    return this.#call(() => this.#requests.getAcl(path), options)
  }

  setAcl(path: string, acl: readonly Acl[], version: Version, options?: CallOptions): Promise<Stat> {
    return this.#call(() => this.#requests.setAcl(path, acl, version), options)
  }

  async addAuth(credentials: Credentials, options?: CallOptions): Promise<void> {
    assertGiven('show credentials', { credentials }, { credentials: credentialsRule })
    const [key, kept] = keyed(credentials)
    await this.#call(
      () => authenticate(kept),
      options,
      () => ({
        instead: () => (this.#credentials.has(key) ? { value: undefined } : undefined),
        onAnswer: (answer) => {
          if ('value' in answer) this.#credentials.set(key, kept)
          else if (answer.error.code === 'auth-failed') this.#keeper.reconnect('credentials were refused') // it hangs up
        },
      }),
    )
  }

  whoAmI(options?: CallOptions): Promise<Identity[]> {
    return this.#call(whoAmI, options)
  }

  close(options?: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<void> {
    return this.#finish({ code: 'closed', why: sessionClosed }, rightLimits(options))
  }

  #finish(end: End, options: Pick<CallOptions, 'signal' | 'timeoutMs'>): Promise<void> {
    if (this.#end === undefined) {
      this.#end = end // before listeners hear of it, who may call anything, this too
      this.#calls.failWaiting(end.code, end.why)
      this.#closed.resolve(this.#keeper.close(options, end.why))
    }
    return this.#closed.promise
  }

  async #call<T>(
    make: () => Request<T>,
    options: CallOptions = {},
    hooks?: (request: Request<T>) => CallHooks<T> | undefined,
  ): Promise<T> {
    const request = make()
    const { attempt, packet } = request
    assertCallOptions(attempt, options)
    if (packet.length > requestBytesMax)
      throw new ZooKeeperError(
        'too-large',
        `${attempt}: a request has at most ${requestBytesMax} bytes, this one ${packet.length}; split it`,
      )
    const { signal, generation } = options // one by one: of a class they may be accessors, which a spread leaves out
    if (generation !== undefined && (generation !== this.generation || this.#keeper.states.current === 'lost'))
      throw new ZooKeeperError('session-lost', `${attempt}: session ${generation} is lost`)
    if (this.#end !== undefined) throw this.#refused(attempt)
    const timeoutMs = options.timeoutMs ?? 2 * this.sessionTimeoutMs
    return this.#calls.call(request, { signal, timeoutMs }, hooks?.(request))
  }

  #read<T>(
    kind: 'data' | 'exist' | 'child',
    path: string,
    make: () => Request<T>,
    options: ReadOptions = {},
  ): Promise<T> {
    const checked = (): Request<T> => {
      const request = make()
      assertReadOptions(request.attempt, options)
      return request
    }
    return this.#call(checked, options, (request) =>
      options.watch === undefined ? undefined : this.#watching.hooks(kind, path, request, options.watch),
    )
  }

  #refused(attempt: string): ZooKeeperError {
    const { code, why } = this.#end ?? { code: 'closed', why: sessionClosed }
    return new ZooKeeperError(code, `${attempt}: ${why}`)
  }

  /** What must be set up on a new connection before any call is sent on it. */
  #prepare(connection: Connection): void {
    for (const credentials of this.#credentials.values())
      connection.send(authenticate(credentials), (answer) => {
        if (!('error' in answer) || answer.error.code === 'connection-lost') return
        const why = `the server refuses the credentials of scheme ${credentials.scheme}`
        this.#finish({ code: 'auth-failed', why }, { signal: AbortSignal.abort() }).catch((thrown: unknown) => {
          this.log('the session could not be closed', { error: asError(thrown) })
        })
      })
    this.#watching.restore(connection, this.#keeper.zxid)
  }

  /** The same connection without the chroot, to make the chroot. */
  #outside(): Parameters<typeof trees.ensurePath>[0] {
    const requests = new Requests('')
    return {
      clock: this.clock,
      exists: (path, options) =>
        ignoring(
          this.#call(() => requests.exists(path), options),
          'no-node',
        ),
      create: (path, data, mode, options = {}) => this.#call(() => requests.create(path, data, mode, options), options),
    }
  }
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0
}

/** A copy, which its owner cannot change, and what it is. */
function keyed({ scheme, proof }: Credentials): [string, Credentials] {
  const copy = Buffer.from(proof)
  return [`${scheme}:${copy.toString('hex')}`, { scheme, proof: copy }]
}
