// What is typed rightly and cannot work on this machine: exit code 1, and a message that says why.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { tempDirectory } from '@catchment/testing'
import { run, withoutZooKeeper } from './run.ts'

describe('what cannot work ends with exit code 1 and says why', () => {
  test('a port in use is named', async () => {
    await using directory = await tempDirectory()
    await using taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? String(address.port) : ''
    const end = await run('zookeeper', '--data', directory.path, '--port', port)
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining(port) })
  })

  test('a ZooKeeper that does not answer is named by a collector that knows no list', async () => {
    await using directory = await tempDirectory()
    const end = await run('collector', ...withoutZooKeeper, '--data', directory.path)
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('127.0.0.1:1') })
  })

  test('operators’ verbs without an assigner say which address did not answer', async () => {
    const end = await run('catchment', 'tree', '--assigner', 'http://127.0.0.1:1')
    expect(end).toMatchObject({ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1') })
  })
})
