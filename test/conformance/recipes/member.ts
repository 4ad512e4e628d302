// A member in a process of its own, which can be stopped as a whole: `node member.ts SERVERS PATH lock|election`. Prints
// `holds TOKEN` when it holds, and `held true|false` for each line of its input.

import { createInterface } from 'node:readline'
import { exclusiveLock, joinElection, openSession } from '@catchment/coordination'
import { realClock, realRandom } from '@catchment/runtime'

const [servers = '', path = '', recipe = ''] = process.argv.slice(2)
const session = await openSession({ servers, sessionTimeoutMs: 1_000, clock: realClock, random: realRandom })
const say = (line: string): void => void process.stdout.write(`${line}\n`)

function stand(): () => boolean {
  const onElected = (token: bigint): void => {
    say(`holds ${token}`)
  }
  const election = joinElection(session, { path, id: 'stopped', onElected, onDeposed: () => undefined })
  return () => election.leading
}

async function lock(): Promise<() => boolean> {
  const hold = await exclusiveLock(session, { path, id: 'stopped' }).acquire()
  say(`holds ${hold.token}`)
  return () => hold.held
}

const held = recipe === 'lock' ? await lock() : stand()
createInterface({ input: process.stdin }).on('line', () => {
  say(`held ${held()}`)
})
