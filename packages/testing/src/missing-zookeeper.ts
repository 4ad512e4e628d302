import { existsSync } from 'node:fs'

export const zooKeeperJar = '/usr/share/java/zookeeper.jar'
export const silentLoggerJar = '/usr/share/java/slf4j-nop.jar'

/** Why `startRealZooKeeper` cannot work on this machine, and what to do; undefined where it can. */
export function missingRealZooKeeper(): string | undefined {
  const missing = [zooKeeperJar, silentLoggerJar].find((path) => !existsSync(path))
  return missing === undefined ? undefined : `there is no ${missing}: apt-get install zookeeper libslf4j-java`
}
