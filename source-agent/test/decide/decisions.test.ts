import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { countLines, cutBlock, holeBytesMin } from '../../src/decide/block.ts'
import { createFairness, enqueue, nextToServe, served } from '../../src/decide/fairness.ts'
import { judge, looksRotated, type IdentityVerdict, type ObservedFile } from '../../src/decide/identity.ts'
import { closedBreaker, learn, requestsAllowed, tripped } from '../../src/decide/routing.ts'
import { groupOf, idOfHost } from '../../src/routing/groups.ts'
import { isGroupName, memberIdSchema } from '@catchment/protocol'

describe('judge', () => {
  const known = { device: '1', inode: '2', bornNs: '5', headBytes: 100, headCrc: 9 }
  const same = { device: '1', inode: '2', bornNs: '5', sizeBytes: 500, headMatches: true, tailMatches: true }
  const table: [string, Partial<ObservedFile>, IdentityVerdict][] = [
    ['nothing has changed', {}, 'same'],
    ['it is shorter than what was read', { sizeBytes: 100 }, 'truncated'],
    ['its head is another', { headMatches: false }, 'truncated'],
    ['the bytes before the offset are others', { tailMatches: false }, 'truncated'],
    ['the inode is another and the content the same', { inode: '3' }, 'moved'],
    ['the device is another and the content the same', { device: '8' }, 'moved'],
    ['the inode was reused', { bornNs: '6', headMatches: false, tailMatches: false }, 'other'],
    ['another inode, another content', { inode: '3', tailMatches: false }, 'other'],
    ['the file system does not report births', { bornNs: '0' }, 'same'],
  ]
  test.each(table)('says what it is when %s', (_, change, verdict) => {
    expect(judge(known, 300, { ...same, ...change })).toBe(verdict)
  })

  test('recognises no file by a short head on another inode', () => {
    expect(judge({ ...known, headBytes: 10 }, 300, { ...same, inode: '3' })).toBe('other')
  })
})

test.each([
  ['app.log.1', true],
  ['app.log-20260101', true],
  ['app-20260101.log', true],
  ['app.log', false],
  ['app.log.1.gz', false],
  ['apple.log', false],
  ['app.logx', false],
])('looksRotated reports whether %s may have been app.log', (name, expected) => {
  expect(looksRotated(name, 'app.log')).toBe(expected)
})

describe('cutBlock', () => {
  const place = { atStart: false, inHole: false, full: false, overdue: false }

  test('takes whole lines, loses nothing and alters nothing, wherever blocks end', () => {
    const bytes = fc.array(fc.constantFrom(0, 10, 13, 65, 0xf0, 0x9f), { maxLength: 200 })
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 17 }), (content, blockBytes) => {
        const file = Buffer.from(content)
        const shipped: Buffer[] = []
        for (let at = 0; at < file.length;) {
          const data = file.subarray(at, at + blockBytes)
          const cut = cutBlock(data, { ...place, full: data.length === blockBytes, overdue: true })
          if (cut.type !== 'take') throw new Error(`an overdue block must be taken, not ${cut.type}`)
          expect(cut.partialLine).toBe(data[cut.bytes - 1] !== 10)
          shipped.push(data.subarray(0, cut.bytes))
          at += cut.bytes
        }
        expect(Buffer.concat(shipped)).toEqual(file)
      }),
    )
  })

  test('waits for a newline, and takes a long run of NULs at the start for a hole', () => {
    expect(cutBlock(Buffer.from('half'), place)).toEqual({ type: 'wait', partialBytes: 4 })
    const hole = Buffer.concat([Buffer.alloc(holeBytesMin), Buffer.from('x\n')])
    expect(cutBlock(hole, { ...place, atStart: true })).toEqual({ type: 'hole', bytes: holeBytesMin })
    expect(cutBlock(hole, place)).toMatchObject({ type: 'take', bytes: holeBytesMin + 2 })
  })

  test('countLines counts newlines', () => {
    expect(countLines(Buffer.from('a\n\nb\nc'))).toBe(3)
  })
})

test('fairness serves a quiet stream within one round of a loud one', () => {
  const fairness = createFairness(100)
  enqueue(fairness, 'loud')
  for (let n = 0; n < 10; n += 1) served(fairness, nextToServe(fairness, () => true) ?? '', 100)
  enqueue(fairness, 'quiet')
  const order = [0, 1, 2].map(() => {
    const id = nextToServe(fairness, () => true) ?? ''
    served(fairness, id, id === 'loud' ? 100 : 1)
    return id
  })
  expect(order).toContain('quiet')
})

describe('routing', () => {
  const answer = (epoch: number, collector: string): Parameters<typeof learn>[2] => ({
    ...{ epoch, ageMs: 0, pending: [] },
    assigned: [{ group: 'g', collector, url: `http://${collector}:1`, epoch }],
  })

  test('learn takes news of a newer epoch, and no older one', () => {
    const first = learn(new Map(), new Map(), answer(5, 'a'))
    expect(first.changed).toEqual(['g'])
    expect(learn(first.routes, new Map(), answer(4, 'b'))).toMatchObject({ changed: [], older: ['g'] })
    expect(learn(first.routes, new Map(), answer(6, 'b')).routes.get('g')?.collector).toBe('b')
  })

  test('learn does not send back to who refused with a newer epoch', () => {
    const wanted = new Map([['g', { epoch: 9, refusedBy: 'a' }]])
    expect(learn(new Map(), wanted, answer(5, 'a')).older).toEqual(['g'])
  })

  test('a tripped breaker lets one request probe after its pause', () => {
    const open = tripped(closedBreaker, 1000, 0.5)
    expect(requestsAllowed(open, 1000, 3)).toBe(0)
    expect(requestsAllowed(open, 2000, 3)).toBe(1)
    expect(requestsAllowed(closedBreaker, 0, 3)).toBe(3)
  })
})

test('groupOf makes a valid name of any path, and shards stably', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (path) => {
      const name = groupOf({ template: '{host}/{dir}/{file}', host: 'h', shards: undefined }, `/${path}`)
      expect(isGroupName(name)).toBe(true)
    }),
  )
  const sharded = groupOf({ template: 'web', host: 'h1', shards: 8 }, '/x')
  expect(sharded).toMatch(/^web\/[0-7]$/)
  expect(groupOf({ template: '{file}', host: 'h', shards: undefined }, '/var/log/a b.log')).toBe('var/log/a%20b.log')
})

test('idOfHost makes an id of any name', () => {
  fc.assert(
    fc.property(fc.string(), (host) => {
      expect(memberIdSchema.safeParse(idOfHost(host)).success).toBe(true)
    }),
  )
})
