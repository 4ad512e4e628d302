// catchment-agent: follows log files and ships them.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { memberIdSchema } from '@catchment/protocol'
import {
  choiceSetting,
  listSetting,
  lockDirectory,
  numberSetting,
  optionalNumberSetting,
  realClock,
  realRandom,
  runService,
  textSetting,
  usage,
  type ServiceContext,
  type SettingsOf,
} from '@catchment/runtime'
import { startAgent } from './agent.ts'
import { machineId, openAgentData } from './data/agent-data.ts'
import { groupOf, idOfHost } from './routing/groups.ts'

const host = idOfHost(hostname())

const settings = {
  assigner: listSetting({ help: 'assigners to ask where logs go', placeholder: 'URL[,URL…]' }),
  id: textSetting({ help: 'name of this source', placeholder: 'ID', schema: memberIdSchema, default: host }),
  group: textSetting({
    help: 'group of a file; may contain {host}, {dir} and {file} (the whole path)',
    placeholder: 'NAME',
    default: '{host}',
  }),
  shards: optionalNumberSetting({
    help: 'split each group into NAME/0 … NAME/N-1 by a hash of the host',
    min: 1,
    max: 1024,
  }),
  follow: listSetting({ help: 'files to follow', placeholder: 'GLOB' }),
  exclude: listSetting({ help: 'files, directories or globs never to follow', placeholder: 'PATH' }),
  data: textSetting({ help: 'directory for checkpoints', placeholder: 'DIR' }),
  from: choiceSetting({
    help: 'where to begin in files that exist at the first start',
    choices: ['start', 'end'],
    default: 'start',
  }),
  partialFlushMs: numberSetting({
    help: 'milliseconds until a last line without a newline is shipped',
    min: 0,
    max: 3_600_000,
    default: 5000,
  }),
  requestTimeoutMs: numberSetting({
    help: 'milliseconds that a collector may take to answer',
    min: 100,
    max: 600_000,
    default: 10_000,
  }),
  rescanMs: numberSetting({
    help: 'milliseconds between scans for new files',
    min: 100,
    max: 3_600_000,
    default: 10_000,
  }),
  assignersRefreshMs: numberSetting({
    help: 'milliseconds between requests for the list of assigners, which adds to --assigner',
    min: 100,
    max: 86_400_000,
    default: 60_000,
  }),
}

const stopGraceMs = 3000

async function run(given: SettingsOf<typeof settings>, context: ServiceContext): Promise<void> {
  const { id, group, shards, follow, exclude, data, from, partialFlushMs, requestTimeoutMs, rescanMs } = given
  const { assignersRefreshMs } = given
  const { log } = context
  const assigners = parseAssigners(given.assigner)
  if (follow.length === 0) throw usage('--follow is required: a glob of the files to follow, as /var/log/**/*.log')
  const directory = resolve(data)
  const lock = await lockDirectory(directory, `catchment-agent ${id}`)
  try {
    const opened = await openAgentData(directory, { id, machine: await machineId(), random: realRandom, log })
    const agent = await startAgent({
      ...{ identity: opened.identity, assigners, follow, exclude, directory, from, log, rescanMs, assignersRefreshMs },
      ...{ partialFlushMs, requestTimeoutMs, workingDirectory: process.cwd(), clock: realClock, random: realRandom },
      groupOf: (path) => groupOf({ template: group, host: id, shards }, path),
    })
    await context.serve({
      ready: { id, url: assigners[0] },
      words: `agent ${id} follows ${follow.join(' ')}`,
      data: directory,
    })
    await agent.stop(stopGraceMs)
  } finally {
    lock.release()
  }
}

function parseAssigners(words: readonly string[]): string[] {
  const urls = words.flatMap((word) => word.split(',')).filter((word) => word !== '')
  if (urls.length === 0) throw usage('--assigner is required: the URL of an assigner, as http://127.0.0.1:7070')
  for (const url of urls)
    if (!z.url({ protocol: /^https?$/ }).safeParse(url).success)
      throw usage(`--assigner cannot be "${url}": write a URL, as http://127.0.0.1:7070`)
  return urls.map((url) => url.replace(/\/+$/, ''))
}

/** Runs the program to its end. */
export async function runAgent(): Promise<void> {
  await runService({ name: 'agent', help: 'Follow log files and ship them to collectors', settings, run })
}
