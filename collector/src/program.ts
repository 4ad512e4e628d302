// catchment-collector: stores what agents send, and delivers it.

import { memberIdSchema } from '@catchment/protocol'
import {
  bytesSetting,
  choiceSetting,
  createLog,
  defineCommand,
  numberSetting,
  optionalTextSetting,
  parseListen,
  realClock,
  realRandom,
  refuseInsecure,
  runProgram,
  textSetting,
  toggleSetting,
} from '@catchment/runtime'
import { z } from 'zod'
import { startCollector } from './collector.ts'
import { realDisk } from './segments/disk.ts'

const settings = {
  zookeeper: textSetting({ help: 'the ZooKeeper servers', placeholder: 'HOST:PORT,…' }),
  root: textSetting({
    help: 'the root of the tree',
    placeholder: 'PATH',
    default: '/logs',
    schema: z.string().regex(/^(\/[A-Za-z0-9._-]+)+$/, { error: 'a root is a path such as /logs' }),
  }),
  id: textSetting({ help: 'the name of this collector', placeholder: 'ID', schema: memberIdSchema }),
  listen: textSetting({ help: 'where to listen', placeholder: 'HOST:PORT', default: '127.0.0.1:0' }),
  advertise: optionalTextSetting({
    help: 'the URL for agents and assigners, where it is not the one listened on',
    placeholder: 'URL',
    schema: z.url(),
  }),
  insecure: toggleSetting({ help: 'listen beyond loopback although there is neither TLS nor a token' }),
  data: textSetting({ help: 'where frames are stored', placeholder: 'DIR' }),
  mirror: optionalTextSetting({ help: 'where the mirrored files stand (default: out in --data)', placeholder: 'DIR' }),
  zone: textSetting({ help: 'the zone, rack or site', placeholder: 'ZONE', default: 'default' }),
  capacity: bytesSetting({ help: 'raw bytes a second that it can take', default: '50MB' }),
  sessionTimeout: numberSetting({
    help: 'ZooKeeper session timeout',
    placeholder: 'MS',
    min: 1000,
    max: 60_000,
    default: 4000,
  }),
  diskMax: bytesSetting({ help: 'what is kept at most; delivered segments go first', default: '5GiB' }),
  logLevel: choiceSetting({ help: 'what is logged', choices: ['debug', 'info', 'warn', 'error'], default: 'info' }),
}

const command = defineCommand({
  name: 'collector',
  help: 'Stores what its groups send, durably, and delivers it.',
  settings,
  run: async (given, context) => {
    refuseInsecure(parseListen(given.listen).host, given.insecure)
    const log = createLog({ program: 'collector', level: given.logLevel }).with({ id: given.id })
    const collector = await startCollector(given, { clock: realClock, random: realRandom, log, disk: realDisk })
    const { url } = collector
    context.print(
      context.json
        ? JSON.stringify({ program: 'collector', id: given.id, pid: process.pid, url, ready: true })
        : `collector ${given.id} serves on ${url}; stored in ${given.data}`,
    )
    const stopped = new Promise<void>((resolve) => {
      if (context.signal.aborted) resolve()
      context.signal.addEventListener('abort', () => {
        resolve()
      })
    })
    try {
      await Promise.race([stopped, collector.failed])
    } finally {
      await collector.stop()
    }
  },
})

/** Runs the program to its end. */
export async function runCollector(): Promise<void> {
  await runProgram({
    name: 'catchment-collector',
    help: 'Stores what its groups send, durably, and delivers it.',
    version: '0.1.0',
    commands: command,
  })
}
