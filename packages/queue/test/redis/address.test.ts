import { describe, expect, test } from '@jest/globals'
import { parseRedisAddress } from '../../src/redis/address.ts'

describe('parseRedisAddress', () => {
  test('one server, with and without port and database, over TLS, IPv6', () => {
    expect(parseRedisAddress('redis://h')).toMatchObject({ kind: 'single', tls: false, db: 0 })
    expect(parseRedisAddress('rediss://h:7000/3')).toMatchObject({
      ...{ kind: 'single', tls: true, db: 3, server: { host: 'h', port: 7000 } },
    })
    expect(parseRedisAddress('redis://[::1]:7000')).toMatchObject({ server: { host: '::1', port: 7000 } })
  })

  test('sentinels with the name of the master; a cluster', () => {
    expect(parseRedisAddress('redis+sentinel://a,b:1/main')).toMatchObject({
      ...{ kind: 'sentinel', master: 'main', tls: false },
      sentinels: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
      ],
    })
    expect(parseRedisAddress('rediss+cluster://a:1,b')).toMatchObject({
      ...{ kind: 'cluster', tls: true },
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
    })
  })

  test.each([
    ['http://h', 'is no such URL'],
    ['redis://', 'is no such URL'],
    ['redis://a,b', 'redis+sentinel'],
    ['redis://h/x', 'a database is a number'],
    ['redis://h:99999', 'is no HOST:PORT'],
    ['redis+sentinel://a', 'names no master'],
    ['redis+cluster://a/1', 'a cluster has only one'],
  ])('%s: the error says what is wrong', (url, said) => {
    expect(() => parseRedisAddress(url)).toThrow(expect.objectContaining({ code: 'redis-address', blame: 'operator' }))
    expect(() => parseRedisAddress(url)).toThrow(said)
  })

  test('a password in it is refused without being repeated', () => {
    expect(() => parseRedisAddress('redis://:secret@h')).toThrow('by a file or by the environment')
    expect(() => parseRedisAddress('redis://:secret@h')).not.toThrow('secret')
  })
})
