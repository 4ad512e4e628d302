// Our own server and the real one are notified the same, request by request, and must say the same: results, error codes,
// what is in a stat, which events come to whom, and before which answer. Absolute zxids, session ids and times differ;
// compared is which request each zxid belongs to, and whose session it is.

import { describe, expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import { ownServers } from '../../../packages/coordination/test/world/servers.ts'
import { inWorld } from '../../../packages/coordination/test/world/world.ts'
import { RawClient } from '../../../packages/embedded-zookeeper/test/raw-client.ts'
import { play, requestsPerPlay, type Open } from './random-operations.ts'

const seeds = full ? Array.from({ length: 60 }, (_, at) => at + 1) : [1, 2, 3]
describe('random operations', () => {
  test.each(seeds)('seed %d: our own server answers as this one', async (seed) => {
    await inWorld(async (world) => {
      const own = await ownServers({ kind: 'embedded', net: world.net })
      const opened: RawClient[] = []
      const open: Open = async (handshake) => {
        const client = await RawClient.open(world.net.connect(own.ports[0] ?? 0), handshake)
        opened.push(client)
        return client
      }
      try {
        const [expected, found] = [await play(seed, world.root, world.raw), await play(seed, world.root, open)]
        expect(found).toEqual(expected)
        expect(found.length).toBeGreaterThan(requestsPerPlay)
      } finally {
        for (const client of opened) client.destroy()
        await own.close()
      }
    })()
  })
})
