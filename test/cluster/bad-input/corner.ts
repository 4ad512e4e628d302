// What tests that share a cluster have for themselves: a folder of logs, an agent for it, and their mirror.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { patienceMs } from '@catchment/testing'
import { Cluster, type Member } from '../programs/cluster.ts'
import { matchGenerations, readMirrors } from '../programs/oracle.ts'
import { until } from '../programs/until.ts'

/** One collector, one assigner and one ZooKeeper, started; the caller stops them. */
export async function startCluster(directory: string, options: Partial<Cluster['options']> = {}): Promise<Cluster> {
  const cluster = new Cluster({ directory, assigners: 1, collectors: 1, agentArgs: [], ...options })
  await cluster.start()
  return cluster
}

export class Corner implements AsyncDisposable {
  readonly logs: string
  /** Not yet started; ends with the corner. */
  readonly agent: Member
  readonly #id: string
  readonly #cluster: Cluster

  constructor(cluster: Cluster, id: string) {
    this.#id = id
    this.#cluster = cluster
    this.logs = join(cluster.options.directory, `logs-of-${id}`)
    mkdirSync(this.logs)
    this.agent = cluster.anAgent(id, ['--group', id, '--follow', join(this.logs, '*.log')])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent.stop()
  }

  /** A new file with this content; its path. */
  write(name: string, content: string): string {
    const path = join(this.logs, name)
    writeFileSync(path, content)
    return path
  }

  /** The log lines of the agent that say `message`, once there is one. */
  async logged(message: string): Promise<unknown[]> {
    return until(`the agent to log "${message}"`, patienceMs, () => {
      const lines = this.#cluster.logged(this.#id, message)
      return lines.length > 0 ? lines : undefined
    })
  }

  /** Resolves when the mirrors of this corner are exactly these files. */
  async mirrors(...files: readonly string[]): Promise<void> {
    const mirror = join(this.#cluster.mirror, this.#id)
    await until('the mirrors', patienceMs, () => matchGenerations(files, readMirrors(mirror).mirrors))
  }
}
