// catchment-agent: follows log files and ships them.

import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { z } from 'zod'
import { memberIdSchema } from '@catchment/protocol'
import {
  choiceSetting,
  createLog,
  defineCommand,
  listSetting,
  lockDirectory,
  numberSetting,
  optionalNumberSetting,
  realClock,
  realRandom,
  runProgram,
  textSetting,
  usage,
  type RunContext,
  type SettingsOf,
} from '@catchment/runtime'
import { startAgent } from './agent.ts'
import { machineId, openAgentData } from './data/agent-data.ts'
import { groupOf, idOfHost } from './routing/groups.ts'

const host = idOfHost(hostname())

const settings = {
  assigner: listSetting({ help: 'the assigners to ask where logs go', placeholder: 'URL[,URL…]' }),
  id: textSetting({ help: 'the name of this source', placeholder: 'ID', schema: memberIdSchema, default: host }),
  group: textSetting({
    help: 'the group that files belong to; {host}, {dir} and {file} (the whole path) are replaced',
    placeholder: 'NAME',
    default: '{host}',
  }),
  shards: optionalNumberSetting({ help: 'spread a group over NAME/0 … by a hash of the host', min: 1, max: 1024 }),
  follow: listSetting({ help: 'which files to follow', placeholder: 'GLOB' }),
  exclude: listSetting({ help: 'files, folders or globs that are never followed', placeholder: 'PATH' }),
  data: textSetting({ help: 'where the agent keeps its checkpoints', placeholder: 'DIR' }),
  from: choiceSetting({
    help: 'where to begin in files that are there at the first start',
    choices: ['start', 'end'],
    default: 'start',
  }),
  partialFlushMs: numberSetting({
    help: 'ship a last line without its newline after so many ms',
    min: 0,
    max: 3_600_000,
    default: 5000,
  }),
  requestTimeoutMs: numberSetting({
    help: 'how long a collector may take to answer',
    min: 100,
    max: 600_000,
    default: 10_000,
  }),
  rescanMs: numberSetting({ help: 'look for new files so often', min: 100, max: 3_600_000, default: 10_000 }),
  assignersRefreshMs: numberSetting({
    help: 'ask so often which assigners there are; what is learned is kept beside those of --assigner',
    min: 100,
    max: 86_400_000,
    default: 60_000,
  }),
  logLevel: choiceSetting({ help: 'what is logged', choices: ['debug', 'info', 'warn', 'error'], default: 'info' }),
}

const stopGraceMs = 3000

async function run(given: SettingsOf<typeof settings>, context: RunContext): Promise<void> {
  const { id, group, shards, follow, exclude, data, from, partialFlushMs, requestTimeoutMs, rescanMs } = given
  const { assignersRefreshMs } = given
  const assigners = parseAssigners(given.assigner)
  if (follow.length === 0) throw usage('--follow is required: a glob of the files to follow, as /var/log/**/*.log')
  const directory = resolve(data)
  const log = createLog({ program: 'agent', level: given.logLevel })
  const lock = await lockDirectory(directory, `catchment-agent ${id}`)
  try {
    const opened = await openAgentData(directory, { id, machine: await machineId(), random: realRandom, log })
    const agent = await startAgent({
      ...{ identity: opened.identity, assigners, follow, exclude, directory, from, log, rescanMs, assignersRefreshMs },
      ...{ partialFlushMs, requestTimeoutMs, workingDirectory: process.cwd(), clock: realClock, random: realRandom },
      groupOf: (path) => groupOf({ template: group, host: id, shards }, path),
    })
    const ready = { program: 'agent', id, pid: process.pid, url: assigners[0], ready: true }
    context.print(context.json ? JSON.stringify(ready) : `agent ${id} follows ${follow.join(' ')}`)
    if (!context.signal.aborted)
      await new Promise((ended) => {
        context.signal.addEventListener('abort', ended, { once: true })
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
  await runProgram({
    name: 'catchment-agent',
    help: 'follows log files and ships them',
    version: '0.1.0',
    commands: defineCommand({ name: 'catchment-agent', help: 'follows log files and ships them', settings, run }),
  })
}
