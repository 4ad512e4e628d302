import { describe, expect, test } from '@jest/globals'
import { onWire, statOf } from './on-wire.ts'
import {
  aclAndStat,
  ask,
  body,
  dataAndStat,
  errors,
  int,
  modes,
  op,
  open,
  results,
  stat,
  hear,
  text,
  textAndStat,
  texts,
  textsAndStat,
} from './wire.ts'

describe('writes', () => {
  test.concurrent(
    'create: the path; a stat of the transaction, version 0; of the parent cversion, pzxid, children',
    onWire(async (client, at, { clock }) => {
      const before = await statOf(client, at)
      const created = await ask(client, body.create(`${at}/a`, { data: 'one' }), text)
      expect(created.value).toBe(`${at}/a`)
      const after = await statOf(client, `${at}/a`)
      const { zxid } = created
      expect(after).toMatchObject({ czxid: zxid, mzxid: zxid, pzxid: zxid, version: 0, cversion: 0, aversion: 0 })
      expect(after).toMatchObject({ ephemeralOwner: 0n, dataLength: 3, numChildren: 0, mtimeMs: after.ctimeMs })
      expect(Math.abs(after.ctimeMs - clock.now())).toBeLessThan(60_000)
      expect(await statOf(client, at)).toEqual({ ...before, cversion: 1, numChildren: 1, pzxid: zxid })
    }),
  )

  test.concurrent(
    'create2: the path and the stat that exists gives',
    onWire(async (client, at) => {
      const { value, zxid } = await ask(client, body.create2(`${at}/a`, { data: 'one' }), textAndStat)
      expect(value).toEqual({ path: `${at}/a`, stat: await statOf(client, `${at}/a`) })
      expect(value.stat.czxid).toBe(zxid)
    }),
  )

  test.concurrent(
    'create, ephemeral: owned by the session; sequential: numbered by creates alone, ten digits',
    onWire(async (client, at) => {
      await hear(client, body.create(`${at}/e`, { mode: modes.ephemeral }))
      expect((await statOf(client, `${at}/e`)).ephemeralOwner).toBe(client.session.sessionId)
      const first = await ask(client, body.create(`${at}/s-`, { mode: modes.sequential }), text)
      await hear(client, body.delete(`${at}/e`))
      await hear(client, body.delete(first.value))
      const second = await ask(client, body.create(`${at}/s-`, { mode: modes.ephemeralSequential }), text)
      const third = await ask(client, body.create2(`${at}/`, { mode: modes.sequential }), textAndStat)
      expect([first.value, second.value, third.value.path]).toEqual([
        `${at}/s-0000000001`,
        `${at}/s-0000000002`,
        `${at}/0000000003`,
      ])
      expect((await statOf(client, at)).cversion).toBe(6)
      expect((await statOf(client, second.value)).ephemeralOwner).toBe(client.session.sessionId)
    }),
  )

  test.concurrent(
    'createContainer and createTTL: answered as create2, owned by no one, and they may have children',
    onWire(async (client, at) => {
      const container = await ask(client, body.createContainer(`${at}/c`), textAndStat)
      const ttl = await ask(client, body.createTtl(`${at}/t`, 60_000n), textAndStat)
      const numbered = await ask(client, body.createTtl(`${at}/t-`, 1n, { mode: modes.ttlSequential }), textAndStat)
      for (const made of [container, ttl, numbered]) {
        expect(made.value.stat).toEqual(await statOf(client, made.value.path))
        expect(made.value.stat).toMatchObject({ ephemeralOwner: 0n, version: 0 })
      }
      expect(numbered.value.path).toBe(`${at}/t-0000000002`)
      expect((await hear(client, body.create(`${at}/c/x`))).error).toBe(errors.ok)
      expect((await hear(client, body.create(`${at}/t/x`))).error).toBe(errors.ok)
    }),
  )

  test.concurrent(
    'setData: version and mzxid grow, what stands for creation and children stays',
    onWire(async (client, at) => {
      await hear(client, body.create(`${at}/a`, { data: 'one' }))
      const before = await statOf(client, `${at}/a`)
      const set = await ask(client, body.setData(`${at}/a`, 'three', 0), stat)
      expect(set.value).toEqual({ ...before, version: 1, dataLength: 5, mzxid: set.zxid, mtimeMs: set.value.mtimeMs })
      expect(set.value.mtimeMs).toBeGreaterThanOrEqual(before.mtimeMs)
      expect((await ask(client, body.getData(`${at}/a`), dataAndStat)).value).toEqual({
        data: 'three',
        stat: set.value,
      })
      expect((await ask(client, body.setData(`${at}/a`, ''), stat)).value.version).toBe(2)
    }),
  )

  test.concurrent(
    'delete: the parent says so',
    onWire(async (client, at) => {
      await hear(client, body.create(`${at}/a`))
      const { zxid } = await hear(client, body.delete(`${at}/a`, 0))
      expect(await statOf(client, at)).toMatchObject({ cversion: 2, numChildren: 0, pzxid: zxid, version: 0 })
      expect((await hear(client, body.exists(`${at}/a`))).error).toBe(errors.noNode)
    }),
  )

  test.concurrent(
    'setAcl: aversion grows, and getAcl gives it back',
    onWire(async (client, at) => {
      const before = await statOf(client, at)
      const acl = [{ permissions: 31, scheme: 'world', id: 'anyone' }]
      const set = await ask(client, body.setAcl(at, acl, 0), stat)
      expect(set.value).toEqual({ ...before, aversion: 1 })
      expect((await ask(client, body.getAcl(at), aclAndStat)).value).toEqual({ acl, stat: set.value })
    }),
  )
})

describe('reads', () => {
  test.concurrent(
    'getChildren, getChildren2, getAllChildrenNumber, getEphemerals',
    onWire(async (client, at) => {
      for (const name of ['b', 'a', 'a/x']) await hear(client, body.create(`${at}/${name}`))
      await hear(client, body.create(`${at}/a/e`, { mode: modes.ephemeral }))
      expect((await ask(client, body.getChildren(at), texts)).value).toEqual(['a', 'b'])
      const both = await ask(client, body.getChildren2(at), textsAndStat)
      expect(both.value).toEqual({ names: ['a', 'b'], stat: await statOf(client, at) })
      expect((await ask(client, body.allChildrenNumber(at), int)).value).toBe(4)
      expect((await ask(client, body.getEphemerals(at), texts)).value).toEqual([`${at}/a/e`])
      expect((await ask(client, body.getEphemerals(`${at}/b`), texts)).value).toEqual([])
    }),
  )

  test.concurrent(
    'sync gives its path back; whoAmI says who asks; ping is answered',
    onWire(async (client, at) => {
      expect((await ask(client, body.sync(at), text)).value).toBe(at)
      await hear(client, body.auth('digest', 'ann:secret'))
      const clientInfo = await ask(client, body.whoAmI(), (reader) =>
        reader.vector(() => `${reader.string()} ${reader.string()}`),
      )
      expect(clientInfo.value.toSorted()).toEqual(['digest ann', 'ip 127.0.0.1'])
      expect((await client.request(op.ping)).error).toBe(0)
    }),
  )

  test.concurrent(
    'a read is answered with a zxid not older than the last write of this client',
    onWire(async (client, at) => {
      const { zxid } = await hear(client, body.create(`${at}/a`))
      expect((await hear(client, body.getData(`${at}/a`))).zxid).toBeGreaterThanOrEqual(zxid)
      expect((await hear(client, body.exists(`${at}/none`))).zxid).toBeGreaterThanOrEqual(zxid)
    }),
  )
})

describe('multi', () => {
  test.concurrent(
    'all in one transaction, each with its result',
    onWire(async (client, at) => {
      await hear(client, body.create(`${at}/old`))
      const done = await ask(
        client,
        body.multi(
          body.create(`${at}/a`, { data: 'one' }),
          body.create(`${at}/s-`, { mode: modes.ephemeralSequential }),
          body.setData(`${at}/a`, 'two', 0),
          body.check(`${at}/a`, 1),
          body.delete(`${at}/old`, 0),
        ),
        results,
      )
      const a = await statOf(client, `${at}/a`)
      expect(a).toMatchObject({ czxid: done.zxid, mzxid: done.zxid, version: 1 })
      expect(done.value).toEqual([
        [op.create, `${at}/a`],
        [op.create, `${at}/s-0000000002`],
        [op.setData, a],
        [op.check, undefined],
        [op.delete, undefined],
      ])
    }),
  )

  test.concurrent(
    'refused: no operation is done; each says why: done before it 0, its own code, not tried -2',
    onWire(async (client, at) => {
      const refused = await ask(
        client,
        body.multi(body.create(`${at}/a`), body.check(at, 7), body.create(`${at}/b`)),
        results,
      )
      expect(refused.value).toEqual([
        [op.error, [0, 0]],
        [op.error, [errors.badVersion, errors.badVersion]],
        [op.error, [errors.runtimeInconsistency, errors.runtimeInconsistency]],
      ])
      expect((await ask(client, body.getChildren(at), texts)).value).toEqual([])
    }),
  )

  test.concurrent(
    'multi of nothing; create2 in a multi; a container in a multi',
    onWire(async (client, at) => {
      expect((await ask(client, body.multi(), results)).value).toEqual([])
      const made = await ask(client, body.multi(body.create2(`${at}/a`), body.createContainer(`${at}/c`)), results)
      expect(made.value.map(([type]) => type)).toEqual([op.create, op.create2])
      expect((await ask(client, body.getChildren(at), texts)).value).toEqual(['a', 'c'])
    }),
  )

  test.concurrent(
    'multiRead: each is answered or refused for itself',
    onWire(async (client, at) => {
      await hear(client, body.create(`${at}/a`, { data: 'one' }))
      const read = await ask(
        client,
        body.multiRead(body.getData(`${at}/a`), body.getData(`${at}/none`), body.getChildren(at)),
        results,
      )
      expect(read.value).toEqual([
        [op.getData, { data: 'one', stat: await statOf(client, `${at}/a`) }],
        [op.error, [errors.noNode, errors.noNode]],
        [op.getChildren, ['a']],
      ])
    }),
  )
})

describe('access', () => {
  const ann = { permissions: 31, scheme: 'auth', id: '' }

  test.concurrent(
    'auth: a digest opens what it closed, for each permission apart',
    onWire(async (client, at, { raw }) => {
      const other = await raw()
      expect((await hear(client, body.auth('digest', 'ann:secret'))).error).toBe(errors.ok)
      await hear(client, body.create(`${at}/a`, { acl: [ann, { permissions: 1, scheme: 'world', id: 'anyone' }] }))
      await hear(client, body.create(`${at}/a/x`))
      const refusals = await Promise.all([
        hear(other, body.setData(`${at}/a`, '')),
        hear(other, body.create(`${at}/a/y`)),
        hear(other, body.delete(`${at}/a/x`)),
        hear(other, body.setAcl(`${at}/a`, open)),
      ])
      expect(refusals.map(({ error }) => error)).toEqual(Array(4).fill(errors.noAuth))
      await hear(other, body.sync(at))
      expect((await hear(other, body.getData(`${at}/a`))).error).toBe(errors.ok)
      expect((await hear(client, body.setAcl(`${at}/a`, [ann], 0))).error).toBe(errors.ok)
      await hear(other, body.sync(at))
      expect((await hear(other, body.getData(`${at}/a`))).error).toBe(errors.noAuth)
      expect((await hear(other, body.getChildren(`${at}/a`))).error).toBe(errors.noAuth)
      expect((await hear(other, body.exists(`${at}/a`))).error).toBe(errors.ok)
      await hear(other, body.auth('digest', 'ann:secret'))
      expect((await hear(other, body.getData(`${at}/a`))).error).toBe(errors.ok)
      const digest = { permissions: 31, scheme: 'digest', id: 'ann:FA9nD0l8s8xDkG9fxoWg1bsaYIs=' }
      const { acl } = (await ask(client, body.getAcl(`${at}/a`), aclAndStat)).value
      expect(acl).toEqual([{ ...digest, id: expect.stringMatching(/^ann:.{28}$/) }])
    }),
  )
})
