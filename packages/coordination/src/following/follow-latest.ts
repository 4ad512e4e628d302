import { is } from '../session/contract/given.ts'
import type { ZooKeeperSession } from '../session/contract/session.ts'
import { Following, type FollowingOptions } from './following.ts'

/** What all that is followed has in common. */
export interface FollowOptions {
  /** True: what was delivered may be old (session suspended or lost), and stands. False: it has been read again. */
  readonly onStale?: (stale: boolean) => void
  /** The longest interval between two reads, also if no watch fires; 30 s unless given. */
  readonly rereadMs?: number
}

export const followRules = { onStale: is.optional(is.callback), rereadMs: is.optional(is.milliseconds) }

export interface Followed<T> {
  /** True until the first read, and from `suspended` until the read after the reconnect. */
  readonly stale: boolean
  /** Sync, then read: resolves with nothing older than this call, delivered before. Rejects if that read fails. */
  refresh(): Promise<T>
  close(): Promise<void>
}

export interface LatestOptions<T> extends Omit<FollowingOptions<T>, 'deliver' | 'onStale' | 'rereadMs'> {
  /** What of it makes a difference: where it is the same, nothing is delivered. */
  readonly keyOf: (found: T) => unknown
  readonly onChange: (found: T) => void
  readonly options: FollowOptions
}

/** Delivers what a turn finds where it differs from what was delivered last, and the first time. */
export function followLatest<T>(session: ZooKeeperSession, latest: LatestOptions<T>): Followed<T> {
  const { name, path, turn, keyOf, onChange, options } = latest
  let delivered: { readonly key: unknown } | undefined
  const following = new Following<T>(session, {
    ...{ name, path, turn, rereadMs: options.rereadMs },
    onStale: (stale) => options.onStale?.(stale),
    deliver: (found) => {
      const key = keyOf(found)
      if (delivered?.key === key && delivered !== undefined) return
      delivered = { key }
      onChange(found)
    },
  })
  return {
    get stale() {
      return following.stale
    },
    refresh: () => following.refresh(true),
    close: () => following.close(),
  }
}
