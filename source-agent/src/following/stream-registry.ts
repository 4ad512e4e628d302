// The streams that are followed, by id, by inode and by path. An inode and a path lead to the one stream whose file they
// are now; streams that are over have neither.

import type { BigIntStats } from 'node:fs'
import { inodeKey } from '../files/file-looks.ts'
import type { FollowedFile } from '../files/followed-file.ts'
import type { FollowedStream } from '../streams/followed-stream.ts'

export class StreamRegistry {
  readonly #byId = new Map<string, FollowedStream>()
  readonly #byInode = new Map<string, FollowedStream>()
  readonly #byPath = new Map<string, FollowedStream>()

  get size(): number {
    return this.#byId.size
  }

  /** Those whose files lie at their paths. */
  get live(): Iterable<FollowedStream> {
    return this.#byPath.values()
  }

  add(followed: FollowedStream): void {
    const { file } = followed
    this.#byId.set(file.stream, followed)
    if (file.state !== 'over') this.#byInode.set(keyOf(file), followed)
    if (file.state === 'live') this.#byPath.set(file.path, followed)
  }

  /** False when it was removed already. */
  remove(followed: FollowedStream): boolean {
    if (!this.#byId.delete(followed.file.stream)) return false
    if (this.#byInode.get(keyOf(followed.file)) === followed) this.removeInode(followed)
    this.removePath(followed)
    return true
  }

  has(followed: FollowedStream): boolean {
    return this.#byId.has(followed.file.stream)
  }

  ofId(stream: string): FollowedStream | undefined {
    return this.#byId.get(stream)
  }

  ofInode(stat: BigIntStats): FollowedStream | undefined {
    return this.#byInode.get(inodeKey(stat))
  }

  ofPath(path: string): FollowedStream | undefined {
    return this.#byPath.get(path)
  }

  /** Its file is the one with its inode. */
  addInode(followed: FollowedStream): void {
    this.#byInode.set(keyOf(followed.file), followed)
  }

  /** Its path leads to it. */
  addPath(followed: FollowedStream): void {
    this.#byPath.set(followed.file.path, followed)
  }

  /** Another generation has its inode now. */
  removeInode(followed: FollowedStream): void {
    this.#byInode.delete(keyOf(followed.file))
  }

  /** Its path leads to another file now, or to none. */
  removePath(followed: FollowedStream): void {
    if (this.#byPath.get(followed.file.path) === followed) this.#byPath.delete(followed.file.path)
  }
}

function keyOf({ identity }: FollowedFile): string {
  return `${identity.device}:${identity.inode}`
}
