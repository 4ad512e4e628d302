// What operators have: a cluster with two assigners, an agent that soon learns of others, and the command line.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { patienceMs, startProcess, tempDirectory } from '@catchment/testing'
import { Cluster, type Member } from '../programs/cluster.ts'
import { mainOf, nodeFlags } from '../programs/program.ts'
import { until } from '../programs/until.ts'

/** A cluster of two assigners that follows the logs in `logs`, started but for its agent; ends with `stack`. */
export async function startCluster(
  stack: AsyncDisposableStack,
  collectors: number,
): Promise<{ cluster: Cluster; logs: string }> {
  const directory = stack.use(await tempDirectory())
  const logs = join(directory.path, 'written')
  mkdirSync(logs)
  const often = ['--assigners-refresh-ms', '200', '--rescan-ms', '200']
  const cluster = stack.use(
    new Cluster({
      directory: directory.path,
      assigners: 2,
      collectors,
      agentArgs: ['--group', '{file}', '--follow', join(logs, '*.log'), ...often],
    }),
  )
  await cluster.start()
  return { cluster, logs }
}

/** The command line, run to its end; what it printed. Throws when it failed. */
export async function catchment(cluster: Cluster, words: readonly string[]): Promise<string> {
  const args = [...nodeFlags, mainOf('catchment'), ...words, '--assigner', cluster.assignerUrls().join(',')]
  await using child = startProcess(process.execPath, args)
  const { code } = await child.ended
  if (code !== 0) throw new Error(`catchment ${words.join(' ')} ended with ${String(code)}: ${child.output.stderr}`)
  return child.output.stdout
}

export async function leaderOf(cluster: Cluster): Promise<{ leader: Member; standby: string }> {
  return until('a leader, and another that answers', patienceMs, async () => {
    const { leader } = await cluster.tree()
    const member = cluster.assigners.find(({ id, alive }) => id === leader?.id && alive)
    const others = cluster.assigners.filter((other) => other !== member && other.alive)
    const standby = others[0]?.program?.ready.url
    return member === undefined || standby === undefined ? undefined : { leader: member, standby }
  })
}
