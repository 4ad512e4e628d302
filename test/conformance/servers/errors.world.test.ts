import { describe, expect, test } from '@jest/globals'
import type { RawClient } from '../../../packages/embedded-zookeeper/test/raw-client.ts'
import { onWire, statOf } from './on-wire.ts'
import { addWatchModes, body, errors, modes, op, open, hear, watcherTypes, type Acl, type Body } from './wire.ts'

type Case = readonly [what: string, error: keyof typeof errors, request: (at: string) => Body]

const none = (at: string): string => `${at}/none`
const leaf = (at: string): string => `${at}/ephemeral`
const kept = (at: string): string => `${at}/kept`
const acl = (permissions: number, scheme: string, id: string): readonly Acl[] => [{ permissions, scheme, id }]

// Before each: an ephemeral `ephemeral`, and `kept` with one child, at version 0.
const cases: readonly Case[] = [
  ['create below a node that is absent', 'noNode', (at) => body.create(`${none(at)}/x`)],
  ['create2 below a node that is absent', 'noNode', (at) => body.create2(`${none(at)}/x`)],
  ['create, sequential, below a node that is absent', 'noNode', (at) => body.create(`${none(at)}/x`, { mode: 2 })],
  ['delete of an absent node', 'noNode', (at) => body.delete(none(at))],
  ['setData of an absent node', 'noNode', (at) => body.setData(none(at), '')],
  ['getData of an absent node', 'noNode', (at) => body.getData(none(at))],
  ['exists of an absent node', 'noNode', (at) => body.exists(none(at))],
  ['getChildren of an absent node', 'noNode', (at) => body.getChildren(none(at))],
  ['getChildren2 of an absent node', 'noNode', (at) => body.getChildren2(none(at))],
  ['getAllChildrenNumber of an absent node', 'noNode', (at) => body.allChildrenNumber(none(at))],
  ['getAcl of an absent node', 'noNode', (at) => body.getAcl(none(at))],
  ['setAcl of an absent node', 'noNode', (at) => body.setAcl(none(at), open)],
  ['sync of an absent node', 'ok', (at) => body.sync(none(at))],
  ['create of what is there', 'nodeExists', (at) => body.create(kept(at))],
  ['create2 of what is there', 'nodeExists', (at) => body.create2(kept(at))],
  ['create, ephemeral, of what is there', 'nodeExists', (at) => body.create(kept(at), { mode: modes.ephemeral })],
  ['create of the root', 'nodeExists', () => body.create('/')],
  ['setData at another version', 'badVersion', (at) => body.setData(kept(at), '', 1)],
  ['delete at another version', 'badVersion', (at) => body.delete(leaf(at), 1)],
  ['setAcl at another version', 'badVersion', (at) => body.setAcl(kept(at), open, 1)],
  ['setData at a version below any', 'badVersion', (at) => body.setData(kept(at), '', -7)],
  ['delete of a node with children', 'notEmpty', (at) => body.delete(kept(at))],
  ['delete of a node with children, at another version', 'badVersion', (at) => body.delete(kept(at), 3)],
  ['delete of the root', 'badArguments', () => body.delete('/')],
  ['create below an ephemeral', 'noChildrenForEphemerals', (at) => body.create(`${leaf(at)}/x`)],
  ['create without an acl', 'invalidAcl', (at) => body.create(`${at}/x`, { acl: [] })],
  ['create with an unknown scheme', 'invalidAcl', (at) => body.create(`${at}/x`, { acl: acl(31, 'no one', 'x') })],
  ['create with auth of whom is not known', 'invalidAcl', (at) => body.create(`${at}/x`, { acl: acl(31, 'auth', '') })],
  ['create with a malformed digest', 'invalidAcl', (at) => body.create(`${at}/x`, { acl: acl(31, 'digest', 'x') })],
  ['create with a malformed address', 'invalidAcl', (at) => body.create(`${at}/x`, { acl: acl(31, 'ip', 'x') })],
  ['setAcl to nothing', 'invalidAcl', (at) => body.setAcl(kept(at), [])],
  ['create of a relative path', 'badArguments', () => body.create('relative')],
  ['create with an empty part', 'noNode', (at) => body.create(`${at}//x`)],
  ['create with a slash at the end', 'badArguments', (at) => body.create(`${at}/`)],
  ['create with a dot', 'badArguments', (at) => body.create(`${at}/.`)],
  ['create with two dots', 'badArguments', (at) => body.create(`${at}/..`)],
  ['create with a control character', 'badArguments', (at) => body.create(`${at}/\u0001`)],
  ['create with a NUL', 'badArguments', (at) => body.create(`${at}/\0`)],
  ['create with a character for private use', 'badArguments', (at) => body.create(`${at}/\uf8ff`)],
  ['create with a space and umlauts', 'ok', (at) => body.create(`${at}/ä ö`)],
  ['create in a mode that is none', 'badArguments', (at) => body.create(`${at}/x`, { mode: 77 })],
  ['createTTL of 0 ms', 'badArguments', (at) => body.createTtl(`${at}/x`, 0n)],
  ['createTTL of 2^40 ms', 'badArguments', (at) => body.createTtl(`${at}/x`, 1n << 40n)],
  ['create with the mode of a TTL', 'badArguments', (at) => body.create(`${at}/x`, { mode: modes.ttl })],
  ['getData of a relative path', 'noNode', () => body.getData('relative')],
  ['removeWatches where none is', 'noWatcher', (at) => body.removeWatches(at, watcherTypes.any)],
  ['checkWatches where none is', 'noWatcher', (at) => body.checkWatches(at, watcherTypes.data)],
  ['addWatch in a mode that is none', 'marshalling', (at) => body.addWatch(at, 77)],
  ['addWatch of an absent node', 'ok', (at) => body.addWatch(none(at), addWatchModes.persistent)],
]

async function prepare(client: RawClient, at: string): Promise<void> {
  await hear(client, body.create(leaf(at), { mode: modes.ephemeral }))
  await hear(client, body.create(kept(at)))
  await hear(client, body.create(`${kept(at)}/child`))
}

describe('error codes', () => {
  test.concurrent.each(cases)('%s: %s', async (_, error, request) =>
    onWire(async (client, at) => {
      await prepare(client, at)
      const before = await statOf(client, at)
      const answer = await hear(client, request(at))
      expect(answer.error).toBe(errors[error])
      if (error !== 'ok') expect(await statOf(client, at)).toEqual(before)
    })(),
  )

  test.concurrent(
    'a body that is none: marshalling error or the end of the connection, and nothing has changed',
    onWire(async (client, at) => {
      const broken: Body = { type: op.create, write: (writer) => writer.int(77) }
      const ended = await hear(client, broken).then(
        ({ error }) => error,
        () => 'closed',
      )
      expect([errors.marshalling, 'closed']).toContain(ended)
      expect(at).toMatch(/^\//)
    }),
  )

  test.concurrent(
    'an opcode that is none: unimplemented, and the connection ends',
    onWire(async (client) => {
      expect((await hear(client, { type: 555, write: () => undefined })).error).toBe(errors.unimplemented)
      await client.closed
    }),
  )

  test.concurrent(
    'auth with an unknown scheme: auth failed, and the connection ends',
    onWire(async (client) => {
      expect((await hear(client, body.auth('no one', 'x'))).error).toBe(errors.authFailed)
      await client.closed
    }),
  )

  test.concurrent(
    'a session that is closed, that never was, or with another password: expired, and the right one still lives',
    onWire(async (client, _, { raw }) => {
      const { session } = client
      expect((await raw({ ...session, password: Buffer.alloc(16, 7) })).session.sessionId).toBe(0n)
      const again = await raw(session)
      expect(again.session).toEqual(session)
      await hear(again, body.closeSession())
      await again.closed
      expect((await raw(session)).session).toMatchObject({ sessionId: 0n, timeoutMs: 0 })
      expect((await raw({ sessionId: 99n })).session.sessionId).toBe(0n)
    }),
  )

  test.concurrent(
    'a client that has seen a later zxid is refused without an answer',
    onWire(async (_, __, { raw }) => {
      await expect(raw({ lastZxidSeen: 1n << 60n })).rejects.toThrow('closed')
    }),
  )
})

describe('failed writes', () => {
  test.concurrent(
    'take a zxid all the same, or not: later ones only grow',
    onWire(async (client, at) => {
      const zxids = []
      for (const request of [
        body.create(`${at}/a`),
        body.create(`${at}/a`),
        body.delete(`${at}/b`),
        body.create(`${at}/c`),
      ])
        zxids.push((await hear(client, request)).zxid)
      expect(zxids).toEqual([...zxids].sort((one, other) => Number(one - other)))
    }),
  )
})
