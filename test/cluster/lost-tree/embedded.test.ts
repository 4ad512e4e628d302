import { describe, test } from '@jest/globals'
import { storyMs } from '../programs/until.ts'
import { surviveLostData } from './story.ts'

describe('the cluster on the embedded ZooKeeper', () => {
  test(
    'goes on when ZooKeeper has lost its data: epochs grow, all is assigned, nothing is lost or doubled',
    () => surviveLostData('embedded'),
    storyMs,
  )
})
