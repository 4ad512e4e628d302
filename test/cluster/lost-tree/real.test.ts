import { describe, test } from '@jest/globals'
import { expectsRealZooKeeper } from '@catchment/testing'
import { storyMs } from '../programs/until.ts'
import { surviveLostData } from './story.ts'

const whereInstalled = expectsRealZooKeeper() ? describe : describe.skip

whereInstalled('the cluster on the real ZooKeeper', () => {
  test(
    'goes on when ZooKeeper has lost its data: epochs grow, all is assigned, nothing is lost or doubled',
    () => surviveLostData('real'),
    storyMs,
  )
})
