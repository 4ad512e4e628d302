import { describe, expect, test } from '@jest/globals'
import { realClock, realRandom } from '@catchment/runtime'
import { openSession } from '../../src/session/live-session.ts'
import type { SessionOptions } from '../../src/session/contract/session.ts'

describe('openSession and close', () => {
  const options = { sessionTimeoutMs: 1_000, clock: realClock, random: realRandom }

  test('openSession says which servers it tried when none answers', async () => {
    await expect(openSession({ ...options, servers: '127.0.0.1:1', connectTimeoutMs: 50 })).rejects.toMatchObject({
      code: 'unreachable',
      blame: 'operator',
      message: expect.stringContaining('127.0.0.1:1 (connect ECONNREFUSED'),
    })
  })

  test.each([
    [{ sessionTimeoutMs: 0 }, 'sessionTimeoutMs is a whole number from 1 to 2147483647, not 0'],
    [{ sessionTimeoutMs: -1 }, 'not -1'],
    [{ sessionTimeoutMs: NaN }, 'not NaN'],
    [{ sessionTimeoutMs: 2 ** 31 }, 'not 2147483648'],
    [{ sessionTimeoutMs: '10' }, 'not "10"'],
    [{ sessionTimeoutMs: undefined }, 'not undefined'],
    [{ servers: '' }, 'servers names at least one, as host:port,host:port or host:port,host:port/path, not ""'],
    [{ servers: undefined }, 'not undefined'],
    [{ servers: 'http://x' }, 'host:port'],
    [{ connectTimeoutMs: NaN }, 'connectTimeoutMs is a number of milliseconds above 0, not NaN'],
    [{ watchesMax: NaN }, 'not NaN'],
  ])('openSession refuses what cannot work, and says why: %p', async (wrong, why) => {
    const given: SessionOptions = Object.assign({ ...options, servers: '127.0.0.1:1' }, wrong)
    await expect(openSession(given)).rejects.toMatchObject({
      code: 'bad-arguments',
      message: expect.stringContaining(why),
    })
  })
})
