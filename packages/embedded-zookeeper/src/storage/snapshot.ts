// The whole state in one file: 'CZSN' · version · what StateMachine holds · crc32 of all before it. It is written to a
// temporary name, synced and renamed, so that a snapshot that has its name is whole.

import { crc32 } from 'node:zlib'
import { JuteError, JuteReader, JuteWriter, readAcl, writeAcl } from '@catchment/zookeeper-wire'
import { copyOf } from '../tree/changes.ts'
import { StateMachine, type FrozenState, type SessionRecord } from '../tree/state-machine.ts'
import type { Node } from '../tree/node.ts'

const MAGIC = 0x435a534e // CZSN
/** 2 has the same shape as 1, but knows owners that are no sessions (owner.ts): who knows 1 alone would misread them. */
const VERSION = 2
const versionsRead = [1, 2]
const CRC_BYTES = 4

const NODES_PER_SLICE = 500

/** The whole at once: some 300 ms per 100,000 nodes. */
export function encodeSnapshot(machine: StateMachine): Buffer {
  return Buffer.concat([...snapshotSlices(machine.freeze())])
}

/** The same in slices of some milliseconds each, so that requests are served between them. */
export function* snapshotSlices({ zxid, lastSessionId, sessions, tree }: FrozenState): Generator<Buffer> {
  const head = new JuteWriter().int(MAGIC).int(VERSION).long(zxid).long(lastSessionId)
  head.vector(sessions, sessions.length, (session) => {
    head.long(session.id).buffer(session.password).int(session.timeoutMs)
  })
  let slice = head.int(tree.nodes.length).end()
  let checksum = crc32(slice)
  yield slice
  for (let from = 0; from < tree.nodes.length; from += NODES_PER_SLICE) {
    slice = nodesOf(tree, from, from + NODES_PER_SLICE)
    checksum = crc32(slice, checksum)
    yield slice
  }
  yield new JuteWriter().int(checksum | 0).end()
}

function nodesOf({ paths, nodes }: FrozenState['tree'], from: number, to: number): Buffer {
  const writer = new JuteWriter()
  const range = paths.slice(from, to)
  for (const [at, node] of nodes.slice(from, to).entries()) writeNode(writer.string(range[at] ?? ''), node)
  return writer.end()
}

/** Throws JuteError when the bytes are no whole snapshot. */
export function decodeSnapshot(bytes: Buffer): StateMachine {
  const end = bytes.length - CRC_BYTES
  if (end < 0 || bytes.readInt32BE(end) !== (crc32(bytes.subarray(0, end)) | 0))
    throw new JuteError('the checksum is wrong')
  const reader = new JuteReader(bytes.subarray(0, end))
  if (reader.int() !== MAGIC || !versionsRead.includes(reader.int()))
    throw new JuteError('it is no snapshot of this version')
  const machine = new StateMachine()
  const [zxid, lastSessionId] = [reader.long(), reader.long()]
  const sessions = reader.vector(() => readSession(reader))
  machine.restore({ zxid, lastSessionId, sessions })
  reader.vector(() => {
    machine.tree.insert(reader.string(), readNode(reader))
  })
  return machine
}

function readSession(reader: JuteReader): SessionRecord {
  const [id, password] = [reader.long(), reader.bytes()]
  return { id, password, timeoutMs: reader.int() }
}

function writeNode(writer: JuteWriter, node: Node): void {
  writeAcl(writer.buffer(node.data), node.acl)
  writer.long(node.createdZxid).long(node.modifiedZxid).long(node.childrenZxid)
  writer.long(BigInt(node.createdMs)).long(BigInt(node.modifiedMs))
  writer.int(node.version).int(node.aclVersion).int(node.creates).long(node.ephemeralOwner)
}

function readNode(reader: JuteReader): Node {
  const [data, acl] = [copyOf(reader.buffer()), readAcl(reader)]
  const [createdZxid, modifiedZxid, childrenZxid] = [reader.long(), reader.long(), reader.long()]
  const [createdMs, modifiedMs] = [Number(reader.long()), Number(reader.long())]
  const [version, aclVersion, creates] = [reader.int(), reader.int(), reader.int()]
  return {
    data,
    acl,
    createdZxid,
    modifiedZxid,
    childrenZxid,
    createdMs,
    modifiedMs,
    version,
    aclVersion,
    creates,
    ephemeralOwner: reader.long(),
    children: new Set(),
    freezes: 0,
  }
}
