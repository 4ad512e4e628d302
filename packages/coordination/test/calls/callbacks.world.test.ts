import { test } from '@jest/globals'
import {
  followChildren,
  followMembers,
  followValue,
  joinElection,
  observeLeader,
  openSession,
} from '../../src/index.ts'
import { joinHotStandby, joinPartitioner } from '../../src/recipes.ts'
import { inWorld, Heard } from '../world/world.ts'

test.concurrent(
  'async callbacks that reject are logged, each, and end neither the recipe nor the process',
  inWorld(async ({ session: open, root, place }) => {
    const { network } = await open()
    const logged = new Heard<string>()
    const log = (message: string): void => {
      if (message.endsWith(' threw')) logged.hear(message.split(' ')[0] ?? '')
    }
    const session = await openSession({ ...place, servers: network.address, sessionTimeoutMs: 5_000, log })
    try {
      // What takes a function that returns nothing takes one that returns a promise too.
      const fails: () => unknown = () => Promise.reject(new Error('a bug of the user'))
      const on = (name: string): Record<string, () => unknown> => ({ [name]: fails })
      const done = (): Promise<void> => Promise.resolve()
      const callbacks = { onElected: fails, onDeposed: fails, onLeader: fails, onState: fails, onRelease: done }
      const election = joinElection(session, { path: `${root}/e`, id: 'a', ...callbacks })
      observeLeader(session, { path: `${root}/e`, ...callbacks })
      joinHotStandby(session, { path: `${root}/h`, id: 'a', run: () => new Promise(() => undefined), ...callbacks })
      followValue(session, root, { onValue: fails, ...on('onStale') })
      followChildren(session, root, { onChildren: fails })
      followMembers(session, root, { onMembers: fails })
      await joinPartitioner(session, {
        ...{ path: `${root}/p`, id: 'a', items: ['a'], onAcquired: fails, onLost: fails, onRelease: done },
      })
      const expected = [
        'onElected',
        'onLeader',
        'onState',
        'onValue',
        'onStale',
        'onChildren',
        'onMembers',
        'onAcquired',
      ]
      for (const name of expected) await logged.first((heard) => heard === name)
      await election.resign()
      await logged.first((heard) => heard === 'onDeposed')
    } finally {
      await session.close()
    }
  }),
)
