import type { z } from 'zod'
import { CatchmentError } from '@catchment/runtime'

/** What a client sent, checked. Throws CatchmentError `bad-request` (answered 400) that says where it is wrong. */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown, what: string): T {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`
  throw new CatchmentError('bad-request', `cannot use ${what}${place}: ${issue?.message ?? 'it has the wrong form'}`, {
    blame: 'peer',
  })
}
