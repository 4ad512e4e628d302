import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { z } from 'zod'
import * as protocol from '../src/index.ts'
import {
  collectorListSchema,
  decodePreamble,
  decodeZnode,
  emptyCollectorList,
  encodePreamble,
  encodeZnode,
  parseJson,
  preambleJsonBytesMax,
  znodeBytesMax,
  znodePlainBytesMax,
  type CollectorList,
} from '../src/index.ts'
import { groupName, memberId } from './arbitraries.ts'
import { codeThrown, damaged, valueOrProtocolError } from './damage.ts'

const schemas = Object.entries<unknown>(protocol).filter(
  (entry): entry is [string, z.ZodType] => entry[1] instanceof z.ZodType,
)

const listOf = (count: number): CollectorList => ({
  ...emptyCollectorList,
  epoch: 7,
  owned: Object.fromEntries(Array.from({ length: count }, (_, index) => [`host-${index}`, { since: index, load: 3 }])),
})

const listArbitrary = fc.dictionary(groupName, fc.record({ since: fc.nat(), load: fc.nat(64) }), { maxKeys: 20 })

describe('encodeZnode and decodeZnode', () => {
  test('round trip of lists', () => {
    fc.assert(
      fc.property(listArbitrary, fc.nat(), (owned, epoch) => {
        const list = { ...emptyCollectorList, epoch, owned }
        expect(decodeZnode(collectorListSchema, encodeZnode(list), '/x')).toEqual(list)
      }),
    )
  })

  test('up to 64 KiB it is JSON that people read, one byte more it is gzip', () => {
    const plain = encodeZnode('x'.repeat(znodePlainBytesMax - 2))
    expect([plain.length, plain[0]]).toEqual([znodePlainBytesMax, 0x22])
    const packed = encodeZnode('x'.repeat(znodePlainBytesMax - 1))
    expect([packed[0], packed[1]]).toEqual([0x1f, 0x8b])
    for (const bytes of [plain, packed]) expect(decodeZnode(z.string(), bytes, '/x')).toMatch(/^x+$/)
  })

  test('10,000 groups fit; what stays past 512 KiB compressed is too-large', () => {
    const bytes = encodeZnode(listOf(10_000))
    expect(bytes.length).toBeLessThan(znodeBytesMax)
    expect(decodeZnode(collectorListSchema, bytes, '/x')).toEqual(listOf(10_000))
    expect(codeThrown(() => encodeZnode(randomBytes(znodeBytesMax).toString('base64')))).toBe('too-large')
  })

  test('a gzip bomb is refused before it is expanded', () => {
    const bomb = gzipSync(Buffer.alloc(100 * 1024 * 1024, 0x20))
    expect(bomb.length).toBeLessThan(znodeBytesMax)
    const before = process.memoryUsage().rss
    expect(codeThrown(() => decodeZnode(z.unknown(), bomb, '/x'))).toBe('bad-value')
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024)
  })

  test('damaged bytes, plain or packed, give ProtocolError or a value of the right form', () => {
    const list = { ...listOf(30), lent: { web: { to: 'c2', since: 1, at: 5 } } }
    const bytes = fc.oneof(fc.constant(encodeZnode(list)), fc.constant(gzipSync(JSON.stringify(list))))
    fc.assert(
      fc.property(
        fc.oneof(
          damaged(bytes),
          fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
        ),
        (buffer) => {
          const value = valueOrProtocolError(() => decodeZnode(collectorListSchema, buffer, '/x'))
          if (value !== undefined) expect(collectorListSchema.safeParse(value).success).toBe(true)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('no bytes, a list of another form and keys that objects have are not taken for a list', () => {
    expect(codeThrown(() => decodeZnode(collectorListSchema, Buffer.alloc(0), '/x'))).toBe('bad-json')
    expect(codeThrown(() => decodeZnode(collectorListSchema, Buffer.from('{}'), '/x'))).toBe('bad-value')
    const hostile = '{"epoch":1,"owned":{"constructor":{"since":1}},"lent":{},"borrowed":{},"moved":{}}'
    expect(codeThrown(() => decodeZnode(collectorListSchema, Buffer.from(hostile), '/x'))).toBe('bad-value')
  })
})

describe('parseJson', () => {
  test('with every schema of the package: any JSON and any text give ProtocolError or a value that fits', () => {
    expect(schemas.length).toBeGreaterThan(15)
    const text = fc.oneof(
      fc.json(),
      fc.string(),
      fc.json().map((json) => json.slice(0, -1)),
    )
    for (const [name, schema] of schemas)
      fc.assert(
        fc.property(text, (json) => {
          const value = valueOrProtocolError(() => parseJson(schema, json, name))
          if (value !== undefined) expect([name, schema.safeParse(value).success]).toEqual([name, true])
        }),
        { numRuns: 50 },
      )
  })

  test('deep nesting is no crash', () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    for (const [name, schema] of schemas)
      expect([name, codeThrown(() => parseJson(schema, deep, name))]).toEqual([name, 'bad-value'])
  })

  test('its error names what was read, the place and the rule', () => {
    expect(() => parseJson(collectorListSchema, '{"epoch":-1}', '/logs/collector/c1')).toThrow(
      /^\/logs\/collector\/c1 does not have the expected form at epoch: /,
    )
  })
})

describe('encodePreamble and decodePreamble', () => {
  const amount = fc.nat()
  const preambleArbitrary = fc.record({
    agent: fc.record({
      id: memberId,
      starts: fc.integer({ min: 1 }),
      incarnation: fc.stringMatching(/^[a-z0-9]{1,64}$/),
    }),
    groups: fc.array(
      fc.record({
        group: groupName,
        epoch: amount,
        offeredBytes: amount,
        offeredRecords: amount,
        overMs: amount,
        backlogBytes: amount,
      }),
      { maxLength: 5 },
    ),
  })

  test('round trip, with frames after it', () => {
    fc.assert(
      fc.property(preambleArbitrary, fc.uint8Array(), (preamble, frames) => {
        const encoded = encodePreamble(preamble)
        const decoded = decodePreamble(Buffer.concat([encoded, frames]))
        expect(decoded).toEqual({ preamble, framesOffset: encoded.length })
      }),
    )
  })

  test('damaged bytes give ProtocolError or a preamble within the body', () => {
    fc.assert(
      fc.property(damaged(preambleArbitrary.map(encodePreamble)), (body) => {
        const decoded = valueOrProtocolError(() => decodePreamble(body))
        if (decoded !== undefined) expect(decoded.framesOffset).toBeLessThanOrEqual(body.length)
      }),
      { numRuns: 500 },
    )
  })

  test('cut anywhere it is truncated; a length past the limit is refused before its bytes are awaited', () => {
    const body = encodePreamble({ agent: { id: 'a1', starts: 1, incarnation: 'x' }, groups: [] })
    for (let bytes = 0; bytes < body.length; bytes += 1)
      expect(codeThrown(() => decodePreamble(body.subarray(0, bytes)))).toBe('truncated')
    const huge = Buffer.from(body)
    huge.writeUInt32LE(preambleJsonBytesMax + 1, 8)
    expect(codeThrown(() => decodePreamble(huge))).toBe('bad-length')
    huge.writeUInt32LE(0xffffffff, 8)
    expect(codeThrown(() => decodePreamble(huge))).toBe('bad-length')
  })
})
