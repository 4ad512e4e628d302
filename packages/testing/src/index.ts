export { FakeClock } from './fake-clock.ts'
export { MemorySocket, type Message } from './memory-socket.ts'
export { seededRandom } from './seeded-random.ts'
export { collectingLog, type CollectingLog, type LogEntry } from './collecting-log.ts'
export { tempDirectory, type TempDirectory } from './temp-directory.ts'
export { missingRealZooKeeper } from './missing-zookeeper.ts'
export { missingRealRedis } from './missing-redis.ts'
export { eventually } from './eventually.ts'
export { full } from './full.ts'
export { patienceMs } from './patience.ts'
export { startProcess, type ChildProcess, type ProcessEnd } from './process.ts'
export {
  expectsRealZooKeeper,
  fourLetterWord,
  freePorts,
  startRealZooKeeper,
  type RealZooKeeper,
  type RealZooKeeperOptions,
} from './real-zookeeper.ts'
export { startRealEnsemble, type RealEnsemble, type RealEnsembleOptions } from './real-ensemble.ts'
export { expectsRealRedis, realRedis, startRealRedis, type RealRedis, type RealRedisOptions } from './real-redis.ts'
