import { isCode, ZooKeeperError } from '../../session/contract/errors.ts'
import { assertGiven, callOptions, is } from '../../session/contract/given.ts'
import { afterLostAnswer, untilAnswered } from '../../attempts/until-answered.ts'
import { within } from '../../attempts/within.ts'
import { sharedDeadline } from '../../session/calls/shared-deadline.ts'
import type { CallOptions, ZooKeeperSession } from '../../session/contract/session.ts'

interface ContextOptions {
  /** The persistent node of the context; made if it is missing. */
  readonly path: string
  /** Exists as long as the writer may write, and its name is never used again: the fence. */
  readonly node: string
  /** The session of that node. */
  readonly generation: number
}

/** Bytes that one after the other reads and writes; the writer is fenced by the existence of a node of its own. */
export class SavedContext {
  /** As it was read; undefined if nothing was ever saved. */
  readonly atFirst: Buffer | undefined
  readonly #session: ZooKeeperSession
  readonly #options: ContextOptions
  #version: number
  /** An attempt has ended without an answer: the version may have grown. */
  #inDoubt = false
  #saving: Promise<void> = Promise.resolve()

  private constructor(session: ZooKeeperSession, options: ContextOptions, data: Buffer, version: number) {
    this.#session = session
    this.#options = options
    this.#version = version
    this.atFirst = version === 0 ? undefined : data
  }

  /** To be called once no one else can write: what it reads, after a sync, is the last there is. */
  static async read(session: ZooKeeperSession, options: ContextOptions, signal: AbortSignal): Promise<SavedContext> {
    const { path } = options
    const read = async (call: CallOptions): Promise<SavedContext> => {
      await session.sync(path, call)
      await session.ensurePath(path, call)
      const { data, stat } = await session.get(path, call)
      return new SavedContext(session, options, data, stat.version)
    }
    return untilAnswered(session, read, { signal, generation: options.generation })
  }

  async save(context: Uint8Array, call?: CallOptions): Promise<void> {
    assertGiven('save context', { context, options: call }, { context: is.bytes, options: callOptions })
    const copy = Uint8Array.from(context)
    const left = sharedDeadline(this.#session, { signal: call?.signal, timeoutMs: call?.timeoutMs })
    const before = this.#saving
    const turn = within(this.#session, before, { name: 'save context', outcome: 'not-done' }, left)
    const saved = turn.then(() => this.#save(copy, left))
    // The next one is tried all the same, and not before those that this one waited for.
    this.#saving = Promise.allSettled([before, saved]).then(() => undefined)
    await saved
  }

  async #save(data: Uint8Array, left: CallOptions): Promise<void> {
    const { path, node, generation } = this.#options
    const fence = { op: 'check', path: node, version: 'any' } as const
    for (;;) {
      const write = { op: 'set', path, data, version: this.#version } as const
      try {
        const limits = { ...left, generation }
        await untilAnswered(this.#session, (each) => this.#session.multi([fence, write], each), limits)
        this.#version += 1
        return
      } catch (thrown) {
        const unknown = thrown instanceof ZooKeeperError && thrown.outcome === 'unknown'
        this.#inDoubt ||= unknown
        if (!isCode(thrown, 'bad-version') || !this.#inDoubt) throw thrown
        // While the fence stands no one else writes: what is there is of an earlier attempt whose answer was lost.
        const look = (): Promise<Buffer> => this.#readAgain({ ...left, generation })
        const found = await (unknown ? afterLostAnswer(look) : look())
        if (unknown && found.equals(data)) return
      }
    }
  }

  async #readAgain(call: CallOptions): Promise<Buffer> {
    const { path } = this.#options
    return untilAnswered(
      this.#session,
      async (each) => {
        await this.#session.sync(path, each)
        const { data, stat } = await this.#session.get(path, each)
        this.#version = stat.version
        return data
      },
      call,
    )
  }
}
