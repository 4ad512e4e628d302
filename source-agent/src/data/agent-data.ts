// The agent's data directory: whose machine it is, how often it started. A copy of it on another machine must not go on
// with this machine's streams.

import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseJson, type AgentIdentity } from '@catchment/protocol'
import { codeOf, writeFileDurably, type Log, type Random } from '@catchment/runtime'
import { formatVersion, readIfThere, refuseNewerFormats } from './formats.ts'

const dataSchema = z.object({
  version: z.literal(formatVersion).optional(),
  dataId: z.string(),
  machine: z.string(),
  starts: z.number().int().nonnegative(),
})

export interface AgentData {
  readonly identity: AgentIdentity
  readonly dataId: string
  /** The directory came from another machine: its checkpoints were set aside. */
  readonly foreign: boolean
}

export async function openAgentData(
  directory: string,
  given: { id: string; machine: string; random: Random; log: Log },
): Promise<AgentData> {
  await refuseNewerFormats(directory)
  const path = join(directory, 'agent.json')
  const text = (await readIfThere(path))?.toString('utf8')
  const known = text === undefined ? undefined : parseJson(dataSchema, text, path)
  const foreign = known !== undefined && known.machine !== given.machine
  const random = (): string => Buffer.from(given.random.bytes(12)).toString('hex')
  if (foreign) {
    given.log.warn('the data directory comes from another machine: all streams start again from their first byte', {
      directory,
    })
    await rename(join(directory, 'checkpoints.log'), join(directory, `checkpoints.of-${known.dataId}.log`)).catch(
      (thrown: unknown) => {
        if (codeOf(thrown) !== 'ENOENT') throw thrown
      },
    )
  }
  const data = {
    version: formatVersion,
    dataId: known === undefined || foreign ? random() : known.dataId,
    machine: given.machine,
    starts: (known?.starts ?? 0) + 1,
  }
  await writeFileDurably(path, `${JSON.stringify(data)}\n`)
  return {
    identity: { id: given.id, starts: data.starts, incarnation: random() },
    dataId: data.dataId,
    foreign,
  }
}

/** What distinguishes this machine from its clones: /etc/machine-id, else nothing. */
export async function machineId(): Promise<string> {
  return (await readIfThere('/etc/machine-id'))?.toString('utf8').trim() ?? ''
}
