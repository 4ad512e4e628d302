// What the verbs know of the last `up` on this machine: a file in the user's state directory.

import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { parseJson } from '@catchment/protocol'
import { codeOf, environment, makePrivateDirectory, writeFileDurably } from '@catchment/runtime'
import { z } from 'zod'

const lastUpSchema = z.object({
  pid: z.number().int().positive(),
  data: z.string(),
  out: z.string(),
  assigners: z.array(z.url()).min(1),
})
export type LastUp = z.infer<typeof lastUpSchema>

/** `~/.local/state/catchment`, or below $XDG_STATE_HOME where that is set (XDG Base Directory Specification). */
export function stateDirectory(): string {
  const base = environment()['XDG_STATE_HOME']
  return join(base === undefined || base === '' ? join(homedir(), '.local', 'state') : base, 'catchment')
}

function lastUpPath(): string {
  return join(stateDirectory(), 'last-up.json')
}

export async function writeLastUp(lastUp: LastUp): Promise<void> {
  await makePrivateDirectory(stateDirectory())
  await writeFileDurably(lastUpPath(), `${JSON.stringify(lastUp)}\n`)
}

/** Undefined where no `up` has run. Throws ProtocolError when the file holds something else. */
export function readLastUp(): LastUp | undefined {
  try {
    return parseJson(lastUpSchema, readFileSync(lastUpPath(), 'utf8'), lastUpPath())
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}
