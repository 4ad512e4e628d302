// catchment-collector: stores what agents send, and delivers it.

import { memberIdSchema } from '@catchment/protocol'
import {
  bytesSetting,
  numberSetting,
  optionalTextSetting,
  parseListen,
  realClock,
  realRandom,
  refuseInsecure,
  runService,
  textSetting,
  toggleSetting,
} from '@catchment/runtime'
import { z } from 'zod'
import { startCollector } from './collector.ts'
import { realDisk } from './segments/disk.ts'

const settings = {
  zookeeper: textSetting({ help: 'ZooKeeper servers', placeholder: 'HOST:PORT,…' }),
  root: textSetting({
    help: 'root of the tree in ZooKeeper',
    placeholder: 'PATH',
    default: '/logs',
    schema: z.string().regex(/^(\/[A-Za-z0-9._-]+)+$/, { error: 'a root is a path such as /logs' }),
  }),
  id: textSetting({ help: 'name of this collector', placeholder: 'ID', schema: memberIdSchema }),
  listen: textSetting({
    help: 'address to listen on; port 0 takes a free one',
    placeholder: 'HOST:PORT',
    default: '127.0.0.1:0',
  }),
  advertise: optionalTextSetting({
    help: 'URL for agents and assigners (default: that of --listen)',
    placeholder: 'URL',
    schema: z.url(),
  }),
  insecure: toggleSetting({ help: 'allow listening beyond loopback without TLS or a token' }),
  data: textSetting({ help: 'directory for received frames', placeholder: 'DIR' }),
  mirror: optionalTextSetting({ help: 'directory for delivered files (default: out in --data)', placeholder: 'DIR' }),
  zone: textSetting({ help: 'zone, rack or site of this host', placeholder: 'ZONE', default: 'default' }),
  capacity: bytesSetting({ help: 'uncompressed bytes per second that it can take', default: '50MB' }),
  sessionTimeout: numberSetting({
    help: 'ZooKeeper session timeout in milliseconds',
    placeholder: 'MS',
    min: 1000,
    max: 60_000,
    default: 4000,
  }),
  diskMax: bytesSetting({
    help: 'disk space for frames; the oldest delivered ones are deleted to stay below it',
    default: '5GiB',
  }),
}

/** Runs the program to its end. */
export async function runCollector(): Promise<void> {
  await runService({
    name: 'collector',
    help: 'Store the logs of groups durably and deliver them to the mirror',
    settings,
    run: async (given, context) => {
      refuseInsecure(parseListen(given.listen).host, given.insecure)
      const log = context.log.with({ id: given.id })
      const collector = await startCollector(given, { clock: realClock, random: realRandom, log, disk: realDisk })
      const { id, listen, data } = given
      const { url, failed } = collector
      try {
        await context.serve({
          ready: { id, url },
          words: `collector ${id} serves on ${url}; stored in ${data}`,
          ...{ listen, data, ended: failed },
        })
      } finally {
        await collector.stop()
      }
    },
  })
}
