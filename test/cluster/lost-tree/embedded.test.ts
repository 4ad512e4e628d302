import { describe } from '@jest/globals'
import { testLostData } from './story.ts'

describe('the cluster on the embedded ZooKeeper', () => {
  testLostData('embedded')
})
