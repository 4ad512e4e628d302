import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  encodeGroupName,
  encodePathPart,
  groupNameSchema,
  isGroupName,
  memberIdSchema,
  treePaths,
} from '../src/index.ts'
import { codeThrown } from './damage.ts'

// Unicode, lone surrogates, control characters, dots, escapes and slashes, short and very long.
const hostileUnit = fc.constantFrom(
  ...[
    '.',
    '..',
    '/',
    '//',
    '%',
    '%2',
    '%2F',
    '%25',
    '~',
    '-',
    '_',
    'a',
    'Z',
    '0',
    ' ',
    '\0',
    '\n',
    '\u202e',
    'é',
    '日',
  ],
  ...['\ud800', '\udc00', '😀', '\\', '"', '__proto__', 'constructor'],
)
const hostileText = fc.oneof(
  fc.array(hostileUnit, { minLength: 1, maxLength: 12 }).map((units) => units.join('')),
  fc.array(hostileUnit, { minLength: 1, maxLength: 9 }).map((units) => units.join('').repeat(40)),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
)
const wellFormed = (text: string): string => Buffer.from(text).toString()
const partsOf = (text: string): string =>
  text
    .split('/')
    .filter((part) => part !== '')
    .join('/')

describe('encodeGroupName', () => {
  test('any text but slashes alone becomes a valid, bounded name', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        if (partsOf(text) === '') expect(codeThrown(() => encodeGroupName(text))).toBe('bad-value')
        else expect([text, isGroupName(encodeGroupName(text))]).toEqual([text, true])
      }),
      { numRuns: 1000 },
    )
  })

  test('different well-formed texts get different names, but for their empty parts', () => {
    const names = new Map<string, string>()
    fc.assert(
      fc.property(hostileText, (text) => {
        const whole = partsOf(wellFormed(text))
        if (whole === '') return
        const name = encodeGroupName(whole)
        expect([name, names.get(name) ?? whole]).toEqual([name, whole])
        names.set(name, whole)
      }),
      { numRuns: 2000 },
    )
  })

  test('long texts that differ only at their end stay apart', () => {
    const texts = Array.from({ length: 2000 }, (_, index) => `${'%/é'.repeat(100)}${index}`)
    expect(new Set(texts.map(encodeGroupName)).size).toBe(texts.length)
    expect(new Set(texts.map(encodePathPart)).size).toBe(texts.length)
  })

  test('a text that is a plain name stays as it is, and a text of 1 MB ends soon', () => {
    for (const name of ['web/0', 'a.b', '...', 'host~1', 'x'.repeat(200)]) expect(encodeGroupName(name)).toBe(name)
    expect(isGroupName(encodeGroupName('😀'.repeat(250_000)))).toBe(true)
  })

  test('what is cut is closed with FNV-1a 64 of the whole (test vector: "foobar" is 85944171f73967e8)', () => {
    const fnv1a = (text: string): string => {
      let hash = 0xcbf29ce484222325n
      for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
      return hash.toString(16).padStart(16, '0')
    }
    expect(fnv1a('foobar')).toBe('85944171f73967e8')
    for (let length = 201; length < 260; length += 1)
      expect(encodeGroupName('a'.repeat(length))).toBe(`${'a'.repeat(183)}~${fnv1a('a'.repeat(length))}`)
  })

  test('names what every object has are encoded, alone they are no names', () => {
    const inherited = Object.getOwnPropertyNames(Object.prototype)
    expect(inherited).toContain('__proto__')
    for (const name of inherited) {
      expect([name, isGroupName(name), memberIdSchema.safeParse(name).success]).toEqual([name, false, false])
      expect(isGroupName(encodeGroupName(name))).toBe(true)
      expect(isGroupName(`${name}/0`)).toBe(true)
    }
    expect(encodeGroupName('constructor')).toBe('%63onstructor')
  })
})

describe('isGroupName', () => {
  test('refuses every form that a folder, a URL or a znode could misread', () => {
    const wrong = [
      '',
      '/',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      'a/../b',
      'a/.',
      'a b',
      'a\n',
      'é',
      '%',
      '%2',
      '%2f',
      '%GG',
      'x'.repeat(201),
    ]
    for (const name of wrong) expect([name, isGroupName(name)]).toEqual([name, false])
    for (const name of wrong) expect(groupNameSchema.safeParse(name).success).toBe(false)
    for (const name of ['a', '...', '.a', 'a..b', '%2E%2E', '~'])
      expect([name, isGroupName(name)]).toEqual([name, true])
  })
})

describe('encodePathPart', () => {
  test('any text becomes one file name of 1 to 120 safe bytes, no dot first or last', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.constant('')), (text) => {
        expect(encodePathPart(text)).toMatch(
          /^(?:[A-Za-z0-9_-]|%[0-9A-F]{2}|(?<=.)\.(?=.)|~(?=[0-9a-f]{16}$|$)|[0-9a-f]){1,120}$/,
        )
        expect(encodePathPart(text).length).toBeLessThanOrEqual(120)
      }),
      { numRuns: 1000 },
    )
  })

  test('different well-formed texts get different names', () => {
    const names = new Map<string, string>()
    fc.assert(
      fc.property(hostileText, (text) => {
        const whole = wellFormed(text)
        const name = encodePathPart(whole)
        expect([name, names.get(name) ?? whole]).toEqual([name, whole])
        names.set(name, whole)
      }),
      { numRuns: 2000 },
    )
  })

  test('no encoded text stands where a shortened or an empty one may', () => {
    const long = encodePathPart('x'.repeat(500))
    expect(long).toMatch(/^x{103}~[0-9a-f]{16}$/)
    expect(encodePathPart(long)).not.toBe(long)
    expect(encodePathPart('')).toBe('~')
    expect(encodePathPart('~')).toBe('%7E')
  })
})

describe('memberIdSchema', () => {
  test('takes host names, refuses what could climb or hide in a path', () => {
    for (const id of ['c1', 'host-1.example.com', '_x_', 'a', 'x'.repeat(64)])
      expect([id, memberIdSchema.safeParse(id).success]).toEqual([id, true])
    for (const id of ['', '.', '..', '.a', 'a.', '-a', 'a/b', 'a b', 'a\n', 'é', 'x'.repeat(65)])
      expect([id, memberIdSchema.safeParse(id).success]).toEqual([id, false])
  })
})

describe('treePaths', () => {
  test('stand below the root; a root that ZooKeeper would refuse is refused first', () => {
    expect(treePaths('/a/b').status('c1')).toBe('/a/b/collector/c1/status')
    for (const root of ['', '/', 'logs', '/logs/', '//logs', '/a/../b', '/a b', '/zookeeper'])
      expect([root, codeThrown(() => treePaths(root))]).toEqual([root, 'bad-value'])
  })
})
