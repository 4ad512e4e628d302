import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { JuteError, JuteReader, JuteWriter, packet } from '../src/index.ts'

const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme' })

describe('jute', () => {
  test('reads what it wrote', () => {
    fc.assert(
      fc.property(fc.tuple(long, int, fc.boolean(), fc.option(bytes), text, fc.array(text)), ([a, b, c, d, e, f]) => {
        const writer = new JuteWriter().long(a).int(b).bool(c).buffer(d).string(e)
        writer.vector(f, f.length, (one) => writer.string(one))
        const reader = new JuteReader(writer.end())
        expect([reader.long(), reader.int(), reader.bool(), reader.buffer(), reader.string()]).toEqual([a, b, c, d, e])
        expect(reader.vector(() => reader.string())).toEqual(f)
        expect(reader.remaining).toBe(0)
      }),
    )
  })

  test('a length beyond the bytes is refused before anything is allocated', () => {
    const huge = new JuteWriter().int(0x7fff_ffff).end()
    expect(() => new JuteReader(huge).buffer()).toThrow(JuteError)
    expect(() => new JuteReader(huge).vector(() => 0)).toThrow(JuteError)
    expect(() => new JuteReader(new JuteWriter().int(-2).end()).buffer()).toThrow(JuteError)
  })

  test('what is none reads as empty where a copy or a list is asked for, and is refused as a text', () => {
    const none = new JuteWriter().buffer(null).end()
    expect(new JuteReader(none).buffer()).toBeNull()
    expect(new JuteReader(none).bytes()).toEqual(Buffer.alloc(0))
    expect(new JuteReader(none).strings()).toEqual([])
    expect(() => new JuteReader(none).string()).toThrow(JuteError)
  })

  test('a number beyond the bytes is refused', () => {
    for (const read of ['bool', 'int', 'long', 'hex'] as const)
      expect(() => new JuteReader(Buffer.alloc(0))[read]()).toThrow(JuteError)
    expect(new JuteReader(new JuteWriter().long(255n).end()).hex()).toBe('00000000000000ff')
  })

  test('a packet has its length in front, however little room was expected', () => {
    expect(packet((writer) => writer.string('abc'), 4).toString('hex')).toBe('0000000700000003616263')
  })
})
