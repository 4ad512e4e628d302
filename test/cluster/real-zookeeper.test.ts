import { describe, expect, test } from '@jest/globals'
import { hasRealZooKeeper, startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { environment } from '@catchment/runtime'

// Where it is not installed there is nothing to hold against it; in CI that is a failure and no excuse.
const whereInstalled = hasRealZooKeeper() || environment()['CI'] === 'true' ? describe : describe.skip

whereInstalled('startRealZooKeeper', () => {
  test('serves on loopback when it says so, ends with stop, keeps its data', async () => {
    await using directory = await tempDirectory()
    await using server = await startRealZooKeeper({ directory: directory.path, sessionTimeoutMsMin: 500 })
    expect(await server.word('srvr')).toMatch(/^Zookeeper version: 3\.[\s\S]*^Mode: standalone$/m)
    expect(await server.word('conf')).toContain('minSessionTimeout=500')
    await server.stop()
    await expect(server.word('ruok')).rejects.toThrow('ECONNREFUSED')
    await server.start()
    expect(await server.word('ruok')).toBe('imok')
  })
})
