#!/usr/bin/env node
// catchment-assigner: plans the assignment of groups to collectors while it leads, and answers for it always.

import { openSession } from '@catchment/coordination'
import { memberIdSchema } from '@catchment/protocol'
import {
  choiceSetting,
  createLog,
  defineCommand,
  numberSetting,
  optionalTextSetting,
  realClock,
  realRandom,
  runProgram,
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

const command = defineCommand({
  name: 'assigner',
  help: 'Plans which collector serves which group. Several run; one is elected to lead, the others stand by.',
  settings: {
    zookeeper: textSetting({ help: 'the ZooKeeper servers', placeholder: 'HOST:PORT,…', schema: serversSchema }),
    root: textSetting({ help: 'the root of the tree', placeholder: 'PATH', default: '/logs', schema: rootSchema }),
    id: textSetting({ help: 'its name among the assigners', placeholder: 'ID', schema: memberIdSchema }),
    listen: textSetting({ help: 'where it answers', placeholder: 'HOST:PORT', default: '127.0.0.1:7070' }),
    advertise: optionalTextSetting({
      help: 'the URL under which others reach it, where that is not the one it listens on',
      placeholder: 'URL',
      schema: z.url(),
    }),
    sessionTimeout: numberSetting({
      help: 'milliseconds without ZooKeeper until its candidacy ends',
      min: 1_000,
      max: 60_000,
      default: 4_000,
    }),
    redistribution: choiceSetting({
      help: 'the first policy; then config/policy in the tree counts',
      choices: ['local', 'global', 'hash-ring'],
      default: 'local',
    }),
    grace: numberSetting({
      help: 'milliseconds for which the groups of a collector that is gone are only lent',
      min: 0,
      max: 86_400_000,
      default: 60_000,
    }),
    balanceInterval: numberSetting({
      help: 'milliseconds between rounds of balancing',
      min: 1_000,
      max: 86_400_000,
      default: 60_000,
    }),
    reportInterval: numberSetting({
      help: 'milliseconds within which a collector is expected to rewrite its status; after three of them it is gone',
      min: 500,
      max: 600_000,
      default: reportIntervalMsDefault,
    }),
    housekeepingInterval: numberSetting({
      help: 'milliseconds between sweeps of the tree, each made by one of the assigners',
      min: 1_000,
      max: 86_400_000,
      default: 600_000,
    }),
    forgetAfter: numberSetting({
      help: 'milliseconds after which a collector that is gone and owns nothing is forgotten',
      min: 1_000,
      max: 366 * 86_400_000,
      default: 7 * 86_400_000,
    }),
    insecure: toggleSetting({ help: 'listen beyond loopback although there is neither TLS nor a token' }),
    logLevel: choiceSetting({
      help: 'the least that is logged',
      choices: ['debug', 'info', 'warn', 'error'],
      default: 'info',
    }),
  },
  run: async (settings, context) => {
    const log = createLog({ program: 'assigner', level: settings.logLevel }).with({ id: settings.id })
    const assigner = await startAssigner(
      {
        ...settings,
        sessionTimeoutMs: settings.sessionTimeout,
        graceMs: settings.grace,
        balanceIntervalMs: settings.balanceInterval,
        reportIntervalMs: settings.reportInterval,
        housekeepingIntervalMs: settings.housekeepingInterval,
        forgetAfterMs: settings.forgetAfter,
        openSession,
        clock: realClock,
        random: realRandom,
        log,
      },
      context.signal,
    )
    const { url } = assigner
    context.print(
      context.json
        ? JSON.stringify({ program: 'assigner', id: settings.id, pid: process.pid, url, ready: true })
        : `assigner ${settings.id} answers at ${url}`,
    )
    await ended(context.signal)
    await assigner.close()
  },
})

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      resolve()
    })
  })
}

await runProgram({ name: 'catchment-assigner', help: '', version: '0.1.0', commands: command })
