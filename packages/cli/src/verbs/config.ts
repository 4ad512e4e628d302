// catchment config get | set | history | rollback: the configuration that all assigners follow, with its versions.

import { readFileSync } from 'node:fs'
import {
  configurationAnswerSchema,
  configurationHistorySchema,
  type ConfigurationAnswer,
  type ConfigurationRequest,
  type RollbackRequest,
} from '@catchment/protocol'
import {
  asError,
  defineCommand,
  defineGroup,
  optionalNumberSetting,
  optionalTextSetting,
  usage,
  type BoundCommand,
  type RunContext,
} from '@catchment/runtime'
import { assignerSettings, withAssigner, type AssignerRequest } from '../client/assigner-client.ts'
import { configurationLines, historyLines } from '../view/config-view.ts'
import { paletteOf } from '../view/palette.ts'
import { whoAsks } from '../client/who-asks.ts'

const nameArgument = { name: 'NAME', help: 'name of the configuration: policy', required: true }
const expect = optionalNumberSetting({
  placeholder: 'VERSION',
  help: 'fail unless this is the current version; 0: unless there is none',
  min: 0,
  max: 2 ** 31,
})

export function configCommand(): BoundCommand {
  return defineGroup({
    name: 'config',
    help: 'Show or change the configuration that all assigners follow',
    commands: [getCommand(), setCommand(), historyCommand(), rollbackCommand()],
  })
}

function getCommand(): BoundCommand {
  return defineCommand({
    name: 'get',
    help: 'Show the current configuration',
    settings: assignerSettings,
    arguments: [nameArgument],
    run: async ({ assigner }, context) => {
      await showCurrent(assigner, { method: 'GET', path: pathOf(context) }, context)
    },
  })
}

function setCommand(): BoundCommand {
  return defineCommand({
    name: 'set',
    help: 'Publish another value, as JSON: {"redistribution":"global"}',
    settings: {
      ...assignerSettings,
      file: optionalTextSetting({ placeholder: 'FILE', help: 'file to read the value from' }),
      expect,
    },
    arguments: [nameArgument, { name: 'VALUE', help: 'value, unless --file is given', required: false }],
    run: async ({ assigner, file, expect: version }, context) => {
      const json: ConfigurationRequest = {
        value: valueOf(context.arguments[1], file),
        by: whoAsks(),
        ...(version !== undefined && { expect: version }),
      }
      await showCurrent(assigner, { method: 'PUT', path: pathOf(context), json }, context)
    },
  })
}

function historyCommand(): BoundCommand {
  return defineCommand({
    name: 'history',
    help: 'List the kept versions, newest first',
    settings: assignerSettings,
    arguments: [nameArgument],
    run: async ({ assigner }, context) => {
      const path = `${pathOf(context)}/history`
      const { signal, json, print, colours } = context
      const request = { method: 'GET', path, schema: configurationHistorySchema, signal } as const
      const answer = await withAssigner(assigner, (client) => client.ask(request))
      const lines = json ? [JSON.stringify(answer)] : historyLines(answer, paletteOf(colours))
      for (const line of lines) print(line)
    },
  })
}

function rollbackCommand(): BoundCommand {
  return defineCommand({
    name: 'rollback',
    help: 'Publish the value of an earlier version again',
    settings: { ...assignerSettings, expect },
    arguments: [
      nameArgument,
      { name: 'VERSION', help: 'version, as "catchment config history" shows it', required: true },
    ],
    run: async ({ assigner, expect: version }, context) => {
      const back = Number(context.arguments[1])
      if (!Number.isSafeInteger(back) || back < 0)
        throw usage(`a version is a number from 0, not "${context.arguments[1] ?? ''}"`)
      const json: RollbackRequest = {
        version: back,
        by: whoAsks(),
        ...(version !== undefined && { expect: version }),
      }
      await showCurrent(assigner, { method: 'POST', path: `${pathOf(context)}/rollback`, json }, context)
    },
  })
}

async function showCurrent(
  assigner: string | undefined,
  request: Pick<AssignerRequest<ConfigurationAnswer>, 'method' | 'path' | 'json'>,
  { signal, json, print, colours }: RunContext,
): Promise<void> {
  const schema = configurationAnswerSchema
  const answer = await withAssigner(assigner, (client) => client.ask({ ...request, schema, signal }))
  const lines = json ? [JSON.stringify(answer)] : configurationLines(answer, paletteOf(colours))
  for (const line of lines) print(line)
}

function pathOf({ arguments: [name] }: RunContext): string {
  if (name === undefined) throw usage('say what is configured: catchment config get policy')
  return `/v1/config/${encodeURIComponent(name)}`
}

/** Of the command line or of a file; exactly one of them. */
function valueOf(text: string | undefined, file: string | undefined): unknown {
  if ((text === undefined) === (file === undefined)) throw usage('give the value either as a word or by --file FILE')
  try {
    return JSON.parse(text ?? readFileSync(file ?? '', 'utf8'))
  } catch (thrown) {
    throw usage(`the value must be JSON, as {"redistribution":"global"}: ${asError(thrown).message}`)
  }
}
