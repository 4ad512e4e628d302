import { describe, expect, test } from '@jest/globals'
import { expectsRealZooKeeper, startRealZooKeeper, tempDirectory } from '@catchment/testing'

const whereInstalled = expectsRealZooKeeper() ? describe : describe.skip

whereInstalled('startRealZooKeeper: the real ZooKeeper', () => {
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
