// The requests that are about watches alone. Removing one is silent: the event DataWatchRemoved and its kin are made by
// the client's own library.

import type { JuteReader } from '@catchment/zookeeper-wire'
import {
  addWatchMode,
  errorCode,
  eventType,
  JuteError,
  opcode,
  watcherType,
  type WatcherType,
} from '@catchment/zookeeper-wire'
import { RequestError } from '../tree/errors.ts'
import type { Body, ReadContext } from './reads.ts'
import { type TreeEvent } from '../tree/tree.ts'

/** An event that happened while its watcher was away. */
export type Missed = Pick<TreeEvent, 'type' | 'path'>

export interface WatchAnswer {
  readonly missed: readonly Missed[]
  readonly body: Body | undefined
}

const done: WatchAnswer = { missed: [], body: undefined }

/** Answers a request about watches; undefined when `type` is none. */
export function handleWatches(type: number, reader: JuteReader, context: ReadContext): WatchAnswer | undefined {
  switch (type) {
    case opcode.setWatches:
    case opcode.setWatches2:
      return setWatches(readSetWatches(reader, type), context)
    case opcode.addWatch:
      return addWatch(reader, context)
    case opcode.removeWatches:
      return removeWatches(reader, context)
    case opcode.checkWatches:
      return checkWatches(reader, context)
    default:
      return undefined
  }
}

export interface SetWatches {
  readonly relativeZxid: bigint
  readonly data: readonly string[]
  readonly exists: readonly string[]
  readonly children: readonly string[]
  readonly persistent: readonly string[]
  readonly recursive: readonly string[]
}

export function readSetWatches(reader: JuteReader, type: number): SetWatches {
  const paths = (): string[] => reader.strings()
  const more = (): string[] => (type === opcode.setWatches2 ? paths() : [])
  return {
    relativeZxid: reader.long(),
    data: paths(),
    exists: paths(),
    children: paths(),
    persistent: more(),
    recursive: more(),
  }
}

/** Watches of a client that comes back. What those that are set once have missed is sent; all others are watched again. */
function setWatches(wanted: SetWatches, { tree, watches, connection }: ReadContext): WatchAnswer {
  const missed: Missed[] = []
  for (const path of wanted.data) {
    const node = tree.get(path)
    if (node === undefined) missed.push({ type: eventType.deleted, path })
    else if (node.modifiedZxid > wanted.relativeZxid) missed.push({ type: eventType.dataChanged, path })
    else watches.watchData(path, connection)
  }
  for (const path of wanted.exists) {
    if (tree.get(path) !== undefined) missed.push({ type: eventType.created, path })
    else watches.watchData(path, connection)
  }
  for (const path of wanted.children) {
    const node = tree.get(path)
    if (node === undefined) missed.push({ type: eventType.deleted, path })
    else if (node.childrenZxid > wanted.relativeZxid) missed.push({ type: eventType.childrenChanged, path })
    else watches.watchChildren(path, connection)
  }
  for (const path of wanted.persistent) watches.watch(path, connection, 'persistent')
  for (const path of wanted.recursive) watches.watch(path, connection, 'recursive')
  return { missed, body: undefined }
}

/** Also where nothing is. The answer carries an error code in its body, always 0. */
function addWatch(reader: JuteReader, { watches, connection }: ReadContext): WatchAnswer {
  const [path, mode] = [reader.string(), reader.int()]
  if (mode !== addWatchMode.persistent && mode !== addWatchMode.recursive)
    throw new JuteError(`no mode of addWatch: ${mode}`)
  watches.watch(path, connection, mode === addWatchMode.persistent ? 'persistent' : 'recursive')
  return { missed: [], body: (writer) => writer.int(errorCode.ok) }
}

function removeWatches(reader: JuteReader, { watches, connection }: ReadContext): WatchAnswer {
  const [path, kind] = [reader.string(), readKind(reader)]
  if (!watches.unwatch(path, connection, kind)) throw noWatcher(path, kind)
  return done
}

function checkWatches(reader: JuteReader, { watches }: ReadContext): WatchAnswer {
  const [path, kind] = [reader.string(), readKind(reader)]
  if (!watches.isWatched(path, kind)) throw noWatcher(path, kind)
  return done
}

const watchersOf: ReadonlyMap<number, WatcherType> = new Map([
  [watcherType.child, 'child'],
  [watcherType.data, 'data'],
  [watcherType.any, 'any'],
])

function readKind(reader: JuteReader): WatcherType {
  const number = reader.int()
  const kind = watchersOf.get(number)
  if (kind === undefined) throw new JuteError(`no kind of watch: ${number}`)
  return kind
}

function noWatcher(path: string, kind: WatcherType): RequestError {
  return new RequestError(errorCode.noWatcher, `no watch of kind ${kind} at ${path}`)
}
