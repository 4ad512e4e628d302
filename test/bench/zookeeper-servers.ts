// The servers that coordination is measured on: ours and the real one, each a process of its own with its data on disk.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expectsRealZooKeeper, startProcess, startRealZooKeeper } from '@catchment/testing'

export interface MeasuredServer {
  readonly system: 'catchment' | 'zookeeper'
  readonly address: string
  readonly pid: number
  stop(): Promise<void>
}

const program = fileURLToPath(import.meta.resolve('@catchment/embedded-zookeeper')).replace(
  /index\.[a-z.]+$/,
  'main.ts',
)

/** Ours first, then the real one where it is installed. */
export async function startServers(directory: string): Promise<MeasuredServer[]> {
  const servers = [await startOurs(join(directory, 'ours'))]
  if (!expectsRealZooKeeper()) return servers
  const real = await startRealZooKeeper({ directory: join(directory, 'real') })
  return [...servers, { system: 'zookeeper', address: real.address, pid: real.pid ?? 0, stop: () => real.stop() }]
}

async function startOurs(data: string): Promise<MeasuredServer> {
  const words = ['--disable-warning=ExperimentalWarning', program, '--data', data, '--port', '0', '--json']
  const child = startProcess(process.execPath, words)
  const ready: unknown = JSON.parse(await child.line((line) => line.includes('"ready":true')))
  if (typeof ready !== 'object' || ready === null || !('port' in ready))
    throw new Error('the server does not say where')
  return {
    system: 'catchment',
    address: `127.0.0.1:${String(ready.port)}`,
    pid: child.pid,
    stop: async () => {
      await child.kill()
    },
  }
}

/** Resident memory of a process, MB. */
export function residentMb(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}
