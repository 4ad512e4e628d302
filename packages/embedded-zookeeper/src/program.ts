// catchment-zookeeper: a ZooKeeper server as a program of its own.

import {
  numberSetting,
  realClock,
  realRandom,
  refuseInsecure,
  runService,
  textSetting,
  toggleSetting,
} from '@catchment/runtime'
import { startServer } from './server/server.ts'

const settings = {
  data: textSetting({ placeholder: 'DIR', help: 'directory for the log and snapshots; created if missing' }),
  port: numberSetting({ min: 0, max: 65_535, default: 2181, help: 'port to listen on; 0 takes a free one' }),
  host: textSetting({ placeholder: 'HOST', default: '127.0.0.1', help: 'address to listen on' }),
  insecure: toggleSetting({ help: 'allow listening beyond loopback without TLS' }),
}

/** Runs the program to its end. */
export async function runZooKeeper(): Promise<void> {
  await runService({
    name: 'zookeeper',
    help: 'Run a standalone ZooKeeper server',
    settings,
    run: async ({ data, host, port, insecure }, { serve }) => {
      refuseInsecure(host, insecure)
      const server = await startServer({ listen: { host, port }, data, clock: realClock, random: realRandom })
      const listen = `${host}:${server.port}`
      await serve({
        ready: { port: server.port },
        words: `ZooKeeper listens on ${listen}, its data in ${data}`,
        ...{ listen, data, ended: server.ended },
      })
      await server.close()
      const failure = await server.ended
      if (failure !== undefined) throw failure
    },
  })
}
