// What operators ask an assigner for, beside the tree.

import { commandRequestSchema, type CommandAnswer, type CommandRequest, type CommandsAnswer } from '@catchment/protocol'
import type { Route } from '@catchment/runtime'
import { parseBody } from './requests.ts'

export interface OperatorRoutesOptions {
  readonly submit: (request: CommandRequest, signal: AbortSignal) => Promise<CommandAnswer>
  readonly commands: () => Promise<CommandsAnswer>
}

export function operatorRoutes(options: OperatorRoutesOptions): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/commands',
      handle: async ({ body, signal }) => {
        const request = parseBody(commandRequestSchema, body, 'the body of POST /v1/commands')
        const answer = await options.submit(request, signal)
        return { status: answer.outcome === undefined ? 202 : 200, json: answer }
      },
    },
    { method: 'GET', path: '/v1/commands', handle: async () => ({ json: await options.commands() }) },
  ]
}
