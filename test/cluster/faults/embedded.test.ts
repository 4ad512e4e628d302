import { describe } from '@jest/globals'
import { testKills } from './story.ts'

describe('the cluster on the embedded ZooKeeper', () => {
  testKills('embedded')
})
