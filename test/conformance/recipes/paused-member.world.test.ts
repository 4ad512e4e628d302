import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { exclusiveLock, joinElection } from '@catchment/coordination'
import { eventually, startProcess, type ChildProcess } from '@catchment/testing'
import { inRealWorld, Heard } from '../../../packages/coordination/test/world/world.ts'

const program = fileURLToPath(new URL('member.ts', import.meta.url))
const start = (...words: readonly string[]): ChildProcess =>
  startProcess(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...words])

/**
 * Stops it and asks whether it holds. The question is there before anything else that happens meanwhile, so that it is the
 * first that the member reads when it runs again, before it sees that its connection is cut.
 */
async function stopAndAsk(member: ChildProcess): Promise<{ readonly goOn: () => Promise<string> }> {
  member.signal('SIGSTOP')
  await eventually('it to stop', async () => / T /.test(await readFile(`/proc/${member.pid}/stat`, 'utf8')))
  member.write('?\n')
  return {
    goOn: () => {
      member.signal('SIGCONT')
      return member.line((line) => line.startsWith('held '))
    },
  }
}
const tokenOf = (line: string): bigint => BigInt(line.slice('holds '.length))

// Real sockets for our own server too: the member is a process.
describe('a member that is stopped for longer than its session, and runs again', () => {
  test.concurrent(
    'exclusive lock: another holds meanwhile with a higher token, and it knows at once that it holds no more',
    inRealWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      await using member = start(network.address, `${root}/lock`, 'lock')
      const token = tokenOf(await member.line((line) => line.startsWith('holds ')))
      const stopped = await stopAndAsk(member)
      const hold = await exclusiveLock(session, { path: `${root}/lock`, id: 'other' }).acquire()
      expect(hold.token).toBeGreaterThan(token)
      expect(await stopped.goOn()).toBe('held false')
      expect(hold.held).toBe(true)
      await hold.release()
    }),
  )

  test.concurrent(
    'election: another leads meanwhile, it knows at once that it does not, and leads again when the other resigns',
    inRealWorld(async ({ session: open, root }) => {
      const { session, network } = await open()
      const path = `${root}/election`
      await using member = start(network.address, path, 'election')
      const token = tokenOf(await member.line((line) => line.startsWith('holds ')))
      const stopped = await stopAndAsk(member)
      const heard = new Heard<bigint>()
      const election = joinElection(session, { path, id: 'other', onElected: heard.hear, onDeposed: () => undefined })
      expect(await heard.first(() => true)).toBeGreaterThan(token)
      expect(await stopped.goOn()).toBe('held false')
      expect(election.leading).toBe(true)
      await election.resign()
      const again = await member.line((line) => line.startsWith('holds ') && tokenOf(line) > token)
      expect(tokenOf(again)).toBeGreaterThan(heard.last ?? 0n)
    }),
  )
})
