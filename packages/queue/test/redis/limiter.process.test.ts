import { eventually } from '@catchment/testing'
import { expect, test } from '@jest/globals'
import { onRealRedis, redisBench } from '../suite/bench.ts'

onRealRedis('a rate limit in the real Redis', () => {
  const bench = redisBench()

  test('is one for all collectors; while Redis is away each takes its share, beginning with none', async () => {
    const redis = await bench.redis()
    const rate = { perSecond: 0.001, burst: 10 }
    const limiters = ['c1', 'c2'].map((collector) => {
      const queues = bench.open({ collector, redis: { url: redis.url } })
      queues.setLivingCollectors(2)
      return { queues, limiter: queues.limiter('es', rate) }
    })
    for (const { queues } of limiters)
      await eventually('a connection', async () => (await queues.queue('es').counts()) !== undefined)
    let granted = 0
    for (let round = 0; round < 10; round += 1)
      for (const { limiter } of limiters) granted += (await limiter.take(1)) === 0 ? 1 : 0
    expect(granted).toBe(10)
    await redis.stop()
    for (const { limiter } of limiters) {
      const waitMs = await eventually('a share', async () => {
        const answer = await limiter.take(1)
        return answer > 1_500_000 && answer // half the rate: twice the wait
      })
      expect(waitMs).toBeLessThanOrEqual(2_000_000)
    }
    await redis.start() // empty: the bucket is full again
    for (const { limiter } of limiters) await eventually('tokens', async () => (await limiter.take(1)) === 0)
  })

  test('a large request leaves a debt, and the bucket is forgotten when it would be full', async () => {
    const redis = await bench.redis()
    const limiter = bench.open({ redis: { url: redis.url } }).limiter('es', { perSecond: 1_000, burst: 10 })
    const key = 'catchment:limit:{es}'
    await eventually('the bucket in Redis', async () => {
      await limiter.take(500)
      return (await redis.command('EXISTS', key)) === ':1\r\n'
    })
    expect(Number((await redis.command('HGET', key, 'tokens')).split('\r\n')[1])).toBeLessThan(0)
    expect(Number((await redis.command('PTTL', key)).slice(1))).toBeGreaterThan(0)
    await eventually('the end of the debt', async () => (await limiter.take(10)) === 0)
    await eventually('the bucket to be forgotten', async () => (await redis.command('EXISTS', key)) === ':0\r\n')
  })
})
