import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from '@jest/globals'
import { patienceMs } from '@catchment/testing'
import { matchGenerations, readMirrors } from '../programs/oracle.ts'
import { storyMs, until } from '../programs/until.ts'
import { Writer } from '../programs/writer.ts'
import { startCluster } from './operator.ts'

test(
  'an agent goes on when all assigners of its settings are replaced, and after a start too',
  async () => {
    await using stack = new AsyncDisposableStack()
    const { cluster, logs } = await startCluster(stack, 1)
    const all: Writer[] = []
    const add = (name: string): Writer => {
      const writer = stack.use(new Writer(logs, name))
      all.push(writer)
      return writer
    }
    const web = add('web')
    await cluster.agent.start()
    const isMirrored = (): Promise<unknown> =>
      until('every mirror to equal its file', patienceMs, () => {
        const { mirrors } = readMirrors(cluster.mirror)
        return matchGenerations(
          all.flatMap((writer) => writer.generations()),
          mirrors,
        )
      })
    web.append(100)
    await isMirrored()
    const former = [...cluster.assigners]
    for (const id of ['a3', 'a4']) await cluster.anAssigner(id).start()
    const fresh = cluster.assigners.slice(former.length).map(({ program }) => program?.ready.url ?? '')
    await until('the agent to know the new ones', patienceMs, () => {
      const learned = readFileSync(join(cluster.data('agent-1'), 'assigners.json'), 'utf8')
      return fresh.every((url) => learned.includes(url)) || undefined
    })
    for (const assigner of former) await assigner.kill()
    add('db').append(100) // a group that no one serves yet: only an assigner helps
    await isMirrored()
    await cluster.agent.kill()
    await cluster.agent.start()
    add('mail').append(100)
    await isMirrored()
  },
  storyMs,
)
