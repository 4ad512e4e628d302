import { parseJson } from '@catchment/protocol'
import { z } from 'zod'

const readySchema = z.looseObject({
  program: z.string(),
  id: z.string().optional(),
  pid: z.number().optional(),
  url: z.string().optional(),
  ready: z.literal(true),
})

/** Standard output of `up --json`: nothing but ready lines, or this throws. */
export function readyLines(stdout: string): readonly z.infer<typeof readySchema>[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => parseJson(readySchema, line, 'a ready line'))
}
