#!/usr/bin/env node
import {
  defineCommand,
  numberSetting,
  realClock,
  realRandom,
  refuseInsecure,
  runProgram,
  textSetting,
  toggleSetting,
  type RunContext,
  type SettingsOf,
} from '@catchment/runtime'
import { startServer } from './server.ts'

const settings = {
  data: textSetting({ placeholder: 'DIR', help: 'where log and snapshots are kept; made when missing' }),
  port: numberSetting({ min: 0, max: 65_535, default: 2181, help: 'the port to listen on; 0 for a free one' }),
  host: textSetting({ placeholder: 'HOST', default: '127.0.0.1', help: 'the address to listen on' }),
  insecure: toggleSetting({ help: 'listen beyond loopback although there is no TLS' }),
}

async function run(
  { data, host, port, insecure }: SettingsOf<typeof settings>,
  { signal, json, print }: RunContext,
): Promise<void> {
  refuseInsecure(host, insecure)
  const server = await startServer({ listen: { host, port }, data, clock: realClock, random: realRandom })
  const stop = (): void => {
    void server.close() // the end is awaited below
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  const ready = { program: 'zookeeper', ready: true, port: server.port, pid: process.pid }
  print(json ? JSON.stringify(ready) : `ZooKeeper listens on ${host}:${server.port}, its data in ${data}`)
  const failure = await server.ended
  if (failure !== undefined) throw failure
}

await runProgram({
  name: 'catchment-zookeeper',
  help: 'A ZooKeeper server',
  version: '0.1.0',
  commands: defineCommand({
    name: 'zookeeper',
    help: 'Runs a standalone ZooKeeper server until SIGINT or SIGTERM.',
    settings,
    run,
  }),
})
