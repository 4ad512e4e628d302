import { describe, expect, test } from '@jest/globals'
import { bytes, ending, inWorld, text } from '../../../packages/coordination/test/world/world.ts'
import { onWire } from './on-wire.ts'
import { ask, body, dataAndStat, int, modes, hear, text as path, texts, type Stat } from './wire.ts'

const ascending = (numbers: readonly bigint[]): boolean =>
  numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0n))

describe('one client', () => {
  test.concurrent(
    'what it sends without waiting is done and answered in that order; a read sees the writes before it and none after',
    onWire(async (client, at) => {
      const rounds = Array.from({ length: 200 }, (_, index) => index)
      const before = client.packets.length
      const answers = await Promise.all(
        rounds.map(async (index) => {
          const [created, counted] = await Promise.all([
            hear(client, body.create(`${at}/${index}`)),
            ask(client, body.allChildrenNumber(at), int),
          ])
          return { zxid: created.zxid, count: counted.value }
        }),
      )
      const xids = client.packets.slice(before).flatMap((packet) => (packet.kind === 'reply' ? [packet.xid] : []))
      expect(xids).toEqual([...xids].sort((one, other) => one - other))
      expect(ascending(answers.map(({ zxid }) => zxid))).toBe(true)
      expect(answers.map(({ count }) => count)).toEqual(rounds.map((index) => index + 1))
    }),
  )

  test.concurrent(
    'zxids only grow, from server to server',
    onWire(async (client, at, { raw, eventually }) => {
      let [zxid, carried] = [0n, client.session]
      for (const server of [1, 2, 0, 2, 1, 0]) {
        const seen = { ...carried, lastZxidSeen: zxid }
        const next = await eventually('a server that is up to date', () => raw(seen, server)) // one that is refuses
        const read = await hear(next, body.exists(at))
        expect(read.zxid).toBeGreaterThanOrEqual(zxid)
        const written = await hear(next, body.setData(at, `by ${server}`))
        expect(written.zxid).toBeGreaterThan(read.zxid)
        zxid = written.zxid
        carried = next.session
      }
    }),
  )

  test.concurrent(
    'its reads never go back, whatever server it is cut over to',
    inWorld(async ({ session: open, root }) => {
      const [writer, reader] = [await open(), await open()]
      await writer.session.create(`${root}/count`, bytes('0'))
      await reader.session.sync(root)
      const seen: number[] = []
      for (let count = 1; count <= 60; count += 1) {
        const written = writer.session.set(`${root}/count`, bytes(String(count)), 'any')
        if (count % 10 === 0) reader.network.cut()
        await reader.session.get(`${root}/count`).then(
          ({ data }) => seen.push(Number(text(data))),
          () => undefined, // cut off under way
        )
        await written
      }
      await reader.session.sync(root)
      seen.push(Number(text((await reader.session.get(`${root}/count`)).data)))
      expect(seen).toEqual([...seen].sort((one, other) => one - other))
      expect(seen.length).toBeGreaterThan(40)
      expect(seen.at(-1)).toBe(60)
    }),
  )
})

describe('several clients', () => {
  test.concurrent(
    'after sync a read sees every write that was answered before, who made it',
    onWire(async (client, at, { raw }) => {
      const others = [await raw({}, 1), await raw({}, 2)]
      for (let round = 1; round <= 20; round += 1) {
        const { zxid } = await hear(client, body.setData(at, String(round)))
        for (const other of others) {
          const [, read] = await Promise.all([hear(other, body.sync(at)), ask(other, body.getData(at), dataAndStat)])
          expect([read.value.data, read.value.stat.mzxid]).toEqual([String(round), zxid])
        }
      }
    }),
  )

  test.concurrent(
    'sequence numbers and zxids: each once, in one order',
    onWire(async (client, at, { raw }) => {
      const clients = [client, await raw({}, 1), await raw({}, 2)]
      await Promise.all(clients.map((one) => hear(one, body.sync(at))))
      const created = await Promise.all(
        Array.from({ length: 90 }, (_, index) =>
          ask(clients[index % 3] ?? client, body.create(`${at}/`, { mode: modes.sequential }), path),
        ),
      )
      const inOrder = created.toSorted((one, other) => Number(one.zxid - other.zxid))
      expect(ascending(inOrder.map(({ zxid }) => zxid))).toBe(true)
      expect(inOrder.map(({ value }) => Number(value.slice(-10)))).toEqual(Array.from({ length: 90 }, (_, n) => n))
      await hear(client, body.sync(at))
      expect((await ask(client, body.getChildren(at), texts)).value).toHaveLength(90)
    }),
  )

  test.concurrent(
    'compare and set: of those that saw the same version one wins, and none is lost',
    inWorld(async ({ session: open, root }) => {
      const clients = [await open(), await open(), await open()]
      await clients[0]?.session.create(`${root}/count`, bytes('0'))
      const increment = async (index: number): Promise<number> => {
        const { session } = clients[index] ?? (await open())
        let refusals = 0
        for (let done = 0; done < 20;) {
          await session.sync(root)
          const { data, stat } = await session.get(`${root}/count`)
          const next = bytes(String(Number(text(data)) + 1))
          if ((await ending(session.set(`${root}/count`, next, stat.version))) === 'done') done += 1
          else refusals += 1
        }
        return refusals
      }
      await Promise.all([increment(0), increment(1), increment(2)])
      await clients[1]?.session.sync(root)
      const last = await clients[1]?.session.get(`${root}/count`)
      expect([text(last?.data), last?.stat.version]).toEqual(['60', 60])
    }),
  )

  test.concurrent(
    'a transaction is seen whole or not at all',
    onWire(async (client, at, { raw }) => {
      const [a, b] = [`${at}/a`, `${at}/b`]
      for (const one of [a, b]) await hear(client, body.create(one, { data: '0' }))
      const reader = await raw({}, 1)
      await hear(reader, body.sync(at))
      const writes = (async () => {
        for (let round = 1; round <= 40; round += 1)
          await hear(client, body.multi(body.setData(a, String(round)), body.setData(b, String(round))))
      })()
      const read = async (one: string): Promise<Stat> => (await ask(reader, body.getData(one), dataAndStat)).value.stat
      let [later, seen] = [await read(b), 0]
      while (later.version < 40) {
        const earlier = await read(a)
        later = await read(b)
        expect(later.mzxid).toBeGreaterThanOrEqual(earlier.mzxid)
        seen += 1
      }
      await writes
      expect(seen).toBeGreaterThan(0)
    }),
  )
})
