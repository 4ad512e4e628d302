import { describe } from '@jest/globals'
import { expectsRealZooKeeper } from '@catchment/testing'
import { testLostData } from './story.ts'

const whereInstalled = expectsRealZooKeeper() ? describe : describe.skip

whereInstalled('the cluster on the real ZooKeeper', () => {
  testLostData('real')
})
