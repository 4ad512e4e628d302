// Password, TLS, and what a wrong one looks like.

import { readFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { environment } from '@catchment/runtime'
import { collectingLog, startProcess, type RealRedis } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import type { Queues } from '../../src/index.ts'
import { onRealRedis, redisBench, type RedisBench } from '../suite/bench.ts'
import { jobsUpTo } from '../suite/opening.ts'
import { accepted, allDone, doing, noProblems, problem, refusedAs } from '../suite/waiting.ts'

const openssl = '/usr/bin/openssl'
const password = 'a password with spaces and ö'

async function works(queues: Queues): Promise<void> {
  const queue = queues.queue('es')
  const { processor, ids } = doing()
  queue.work(processor, { concurrency: 2 })
  await accepted(queue, jobsUpTo(3))
  await allDone(ids, jobsUpTo(3))
  await noProblems(queues)
}

/** A certificate for 127.0.0.1 that signs itself, and a Redis that serves TLS with it. */
async function overTls(bench: RedisBench): Promise<{ redis: RealRedis; url: string; ca: string }> {
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(bench.directory, name))
  const made = startProcess(openssl, [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=catchment', '-addext', 'subjectAltName=IP:127.0.0.1', '-out', cert ?? '', '-keyout', key ?? ''],
  ])
  expect(await made.ended).toMatchObject({ code: 0 })
  const { port: tlsPort } = await bench.redis({ started: false }) // only for its port
  const redis = await bench.redis({
    args: [
      ...['--tls-port', String(tlsPort), '--tls-cert-file', cert ?? '', '--tls-key-file', key ?? ''],
      ...['--tls-ca-cert-file', cert ?? '', '--tls-auth-clients', 'no'],
    ],
  })
  return { redis, url: `rediss://127.0.0.1:${tlsPort}`, ca: await readFile(cert ?? '', 'utf8') }
}

async function tlsStory(bench: RedisBench): Promise<void> {
  const { redis, url, ca } = await overTls(bench)
  await works(bench.open({ redis: { url, tls: { ca } } }))
  const stranger = bench.open({ redis: { url } })
  await problem(stranger, 'redis-away')
  expect(stranger.problems()[0]?.message).toMatch(/self.signed certificate/)
  // each is closed at another point of its handshakes; an error that no one listens for would end this test
  for (let turns = 0; turns < 40; turns += 1) {
    const one = bench.open({ redis: { url } })
    for (let turn = 0; turn < turns % 10; turn += 1) await redis.command('PING')
    await one.close(100)
  }
}

onRealRedis('access to the real Redis', () => {
  const bench = redisBench()

  test('with the right password works', async () => {
    const redis = await bench.redis({ args: ['--requirepass', password], password })
    await works(bench.open({ redis: { url: redis.url, password } }))
  })

  test('with a user of its own works', async () => {
    const redis = await bench.redis()
    await redis.command('ACL', 'SETUSER', 'catchment', 'on', '>secret', '~catchment*', '&*', '+@all')
    await works(bench.open({ redis: { url: redis.url, username: 'catchment', password: 'secret' } }))
  })

  test.each([
    ['a wrong password', 'wrong'],
    ['no password', undefined],
  ])('with %s: a problem that says so, and no word of the password anywhere', async (_name, given) => {
    const log = collectingLog()
    const redis = await bench.redis({ args: ['--requirepass', password], password })
    const queues = bench.open({ redis: { url: redis.url, password: given }, log })
    await problem(queues, 'redis-refused')
    await refusedAs(queues.queue('es'), 'away')
    const said = JSON.stringify([queues.problems(), log.entries])
    expect(said).not.toContain(password)
    expect(said).not.toContain('"wrong"')
  })

  const whereOpenssl = existsSync(openssl) || environment()['CI'] === 'true' ? test : test.skip
  whereOpenssl(`over TLS works, and with another authority is a problem (needs ${openssl})`, () => tlsStory(bench))
})
