import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { JuteError, JuteWriter, PacketReader } from '../src/index.ts'

const payloads = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 })
const packetOf = (payload: Uint8Array): Buffer => new JuteWriter().buffer(payload).end()

describe('PacketReader', () => {
  test('cuts the same packets from any chunks, each with its length in front', () => {
    fc.assert(
      fc.property(payloads, fc.array(fc.nat(40), { maxLength: 60 }), (sent, lengths) => {
        const packets = sent.map(packetOf)
        let rest = Buffer.concat(packets)
        const [one, other] = [new PacketReader(100), new PacketReader(100)]
        const read: Buffer[] = []
        const taken: Buffer[] = []
        for (const length of [...lengths, rest.length]) {
          one.push(rest.subarray(0, length))
          for (let found = one.next(); Buffer.isBuffer(found); found = one.next()) read.push(found)
          taken.push(...other.take(rest.subarray(0, length)))
          rest = rest.subarray(length)
        }
        expect([read, taken]).toEqual([packets, packets])
      }),
    )
  })

  test.each([[-1], [65], [0x7fff_ffff]])('a length of %d is too long', (length) => {
    const reader = new PacketReader(64)
    reader.push(new JuteWriter().int(length).end())
    expect(reader.next()).toBe('tooLong')
  })

  test('refuses a length that no server sends', () => {
    expect(() => [...new PacketReader(100).take(Buffer.from('HTTP'))]).toThrow(JuteError)
    expect(() => [...new PacketReader(100).take(Buffer.alloc(4, 0xff))]).toThrow(JuteError)
  })

  test('shows the first four bytes as soon as they have come', () => {
    const reader = new PacketReader(100)
    reader.push(Buffer.from('ru'))
    expect(reader.peek()).toBeUndefined()
    reader.push(Buffer.from('ok'))
    expect(reader.peek()?.toString()).toBe('ruok')
  })
})
