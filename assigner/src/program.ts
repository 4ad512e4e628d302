// catchment-assigner: plans the assignment of groups to collectors while it leads, and answers requests at any time.

import { openSession } from '@catchment/coordination'
import { memberIdSchema } from '@catchment/protocol'
import {
  choiceSetting,
  numberSetting,
  optionalTextSetting,
  realClock,
  realRandom,
  runService,
  textSetting,
  toggleSetting,
} from '@catchment/runtime'
import { z } from 'zod'
import { reportIntervalMsDefault, startAssigner } from './assigner.ts'

const rootSchema = z
  .string()
  .regex(/^(\/[A-Za-z0-9._-]+)+$/, { error: 'the root is a ZooKeeper path such as /logs, without a / at its end' })

const server = String.raw`(\[[0-9A-Fa-f:.]+\]|[^\s,:/[\]]+)(:\d{1,5})?`
const serversSchema = z.string().regex(new RegExp(`^${server}(,${server})*$`), {
  error: 'ZooKeeper servers are HOST:PORT, several of them joined by commas',
})

const settings = {
  zookeeper: textSetting({ help: 'ZooKeeper servers', placeholder: 'HOST:PORT,…', schema: serversSchema }),
  root: textSetting({
    help: 'root of the tree in ZooKeeper',
    placeholder: 'PATH',
    default: '/logs',
    schema: rootSchema,
  }),
  id: textSetting({ help: 'name of this assigner', placeholder: 'ID', schema: memberIdSchema }),
  listen: textSetting({
    help: 'address to listen on; port 0 takes a free one',
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:7070',
  }),
  advertise: optionalTextSetting({
    help: 'URL for agents and other assigners (default: that of --listen)',
    placeholder: 'URL',
    schema: z.url(),
  }),
  sessionTimeout: numberSetting({
    help: 'ZooKeeper session timeout in milliseconds',
    min: 1_000,
    max: 60_000,
    default: 4_000,
  }),
  redistribution: choiceSetting({
    help: 'policy of a new tree; change it with "catchment config set policy"',
    choices: ['local', 'global', 'hash-ring'],
    default: 'local',
  }),
  grace: numberSetting({
    help: 'milliseconds until the groups of a dead collector, lent to others, become theirs',
    min: 0,
    max: 86_400_000,
    default: 60_000,
  }),
  balanceInterval: numberSetting({
    help: 'milliseconds between balancing rounds',
    min: 1_000,
    max: 86_400_000,
    default: 60_000,
  }),
  reportInterval: numberSetting({
    help: 'milliseconds between status reports of a collector; after three without one it counts as dead',
    min: 500,
    max: 600_000,
    default: reportIntervalMsDefault,
  }),
  housekeepingInterval: numberSetting({
    help: 'milliseconds between sweeps for collectors to forget, each done by one of the assigners',
    min: 1_000,
    max: 86_400_000,
    default: 600_000,
  }),
  forgetAfter: numberSetting({
    help: 'milliseconds until a dead collector that owns no groups is forgotten',
    min: 1_000,
    max: 366 * 86_400_000,
    default: 7 * 86_400_000,
  }),
  insecure: toggleSetting({ help: 'allow listening beyond loopback without TLS or a token' }),
}

/** Runs the program to its end. */
export async function runAssigner(): Promise<void> {
  await runService({
    name: 'assigner',
    help: 'Decide which collector serves which group. Run several: one is elected leader, the others stand by',
    settings,
    run: async (given, context) => {
      const assigner = await startAssigner(
        {
          ...given,
          sessionTimeoutMs: given.sessionTimeout,
          graceMs: given.grace,
          balanceIntervalMs: given.balanceInterval,
          reportIntervalMs: given.reportInterval,
          housekeepingIntervalMs: given.housekeepingInterval,
          forgetAfterMs: given.forgetAfter,
          openSession,
          clock: realClock,
          random: realRandom,
          log: context.log.with({ id: given.id }),
        },
        context.signal,
      )
      const { id, listen } = given
      const { url } = assigner
      await context.serve({ ready: { id, url }, words: `assigner ${id} answers at ${url}`, listen })
      await assigner.close()
    },
  })
}
