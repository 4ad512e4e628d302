// What operators and agents ask an assigner for, beside the tree.

import { commandRequestSchema, configurationRequestSchema, rollbackRequestSchema } from '@catchment/protocol'
import type { Route } from '@catchment/runtime'
import type { CommandQueue } from '../operations/command-queue.ts'
import type { Configurations } from '../operations/configurations.ts'
import type { EntryPoints } from '../operations/entry-points.ts'
import { parseBody } from './request-body.ts'

export interface OperatorRoutesOptions {
  readonly commands: CommandQueue
  readonly configurations: Configurations
  readonly entryPoints: EntryPoints
  /** Aborts when the program ends. */
  readonly ends: AbortSignal
}

export function operatorRoutes(options: OperatorRoutesOptions): Route[] {
  return [
    {
      method: 'POST',
      path: '/v1/commands',
      handle: async ({ body, signal }) => {
        const request = parseBody(commandRequestSchema, body, 'the body of POST /v1/commands')
        const answer = await options.commands.submit(request, AbortSignal.any([signal, options.ends]))
        return { status: answer.outcome === undefined ? 202 : 200, json: answer }
      },
    },
    { method: 'GET', path: '/v1/commands', handle: async () => ({ json: await options.commands.list() }) },
    { method: 'GET', path: '/v1/entry-points', handle: () => ({ json: options.entryPoints.list() }) },
    ...configurationRoutes(options.configurations),
  ]
}

function configurationRoutes(configurations: Configurations): Route[] {
  const nameOf = (params: Readonly<Record<string, string>>): string => params['name'] ?? ''
  return [
    {
      method: 'GET',
      path: '/v1/config/:name',
      handle: async ({ params }) => ({ json: await configurations.get(nameOf(params)) }),
    },
    {
      method: 'PUT',
      path: '/v1/config/:name',
      handle: async ({ params, body }) => {
        const request = parseBody(configurationRequestSchema, body, 'the body of PUT /v1/config')
        return { json: await configurations.set(nameOf(params), request) }
      },
    },
    {
      method: 'GET',
      path: '/v1/config/:name/history',
      handle: async ({ params }) => ({ json: await configurations.history(nameOf(params)) }),
    },
    {
      method: 'POST',
      path: '/v1/config/:name/rollback',
      handle: async ({ params, body }) => {
        const request = parseBody(rollbackRequestSchema, body, 'the body of POST /v1/config/:name/rollback')
        return { json: await configurations.rollBack(nameOf(params), request) }
      },
    },
  ]
}
