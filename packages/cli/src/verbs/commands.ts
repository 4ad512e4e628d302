// drain, cordon, serve, forget: commands for the leader, whose outcome is waited for; and the list of outcomes.

import {
  commandAnswerSchema,
  commandsAnswerSchema,
  commandWaitMsMax,
  type CommandAnswer,
  type CommandRequest,
  type CommandVerb,
} from '@catchment/protocol'
import {
  CatchmentError,
  codeOf,
  defineCommand,
  numberSetting,
  realClock,
  realRandom,
  sleep,
  toggleSetting,
  usage,
  type BoundCommand,
} from '@catchment/runtime'
import { assignerSettings, withAssigner, type AssignerClient } from '../client/assigner-client.ts'
import { commandsLines, outcomeLine, waitingLine } from '../view/commands-view.ts'
import { paletteOf } from '../view/palette.ts'
import { whoAsks } from '../client/who-asks.ts'

const settings = {
  ...assignerSettings,
  wait: numberSetting({
    help: 'seconds to wait for the outcome; the command stays queued after that',
    min: 0,
    max: 3_600,
    default: 30,
  }),
  noWait: toggleSetting({ help: 'return as soon as the command is queued' }),
}
/** Of one request. The command's id makes every repetition the same command. */
const requestWaitMs = 10_000
const answerSlackMs = 5_000
const askAgainMs = 500

const helps: Readonly<Record<CommandVerb, string>> = {
  drain: 'Move all groups away from a collector and assign it no others',
  cordon: 'Let a collector keep its groups but assign it no others',
  serve: 'Assign groups to a collector again (undoes drain and cordon)',
  forget: 'Give up on a dead collector: assign its groups to others and delete its nodes',
}

/** `catchment drain ID`, and likewise cordon, serve and forget. */
export function collectorCommand(verb: CommandVerb): BoundCommand {
  return defineCommand({
    name: verb,
    help: helps[verb],
    settings,
    arguments: [{ name: 'ID', help: 'id of the collector, as "catchment tree" shows it', required: true }],
    run: async ({ assigner, wait, noWait }, { arguments: [target], signal, json, print, colours }) => {
      if (target === undefined) throw usage(`${verb} needs the id of a collector: catchment ${verb} ID`)
      const id = Buffer.from(realRandom.bytes(6)).toString('hex')
      const command = { id, verb, target, by: whoAsks() }
      const answer = await withAssigner(assigner, (client) => submit(client, command, noWait ? 0 : wait * 1000, signal))
      const { outcome } = answer
      if (outcome !== undefined && outcome.outcome !== 'done')
        throw new CatchmentError(outcome.outcome, outcome.text, { blame: 'operator' })
      const line = outcome === undefined ? waitingLine(answer.command) : outcomeLine(outcome, paletteOf(colours))
      print(json ? JSON.stringify(answer) : line)
    },
  })
}

/** `catchment commands`. */
export function commandsCommand(): BoundCommand {
  return defineCommand({
    name: 'commands',
    help: 'List queued commands and the outcomes of recent ones',
    settings: assignerSettings,
    run: async ({ assigner }, { signal, json, print, colours }) => {
      const path = '/v1/commands'
      const schema = commandsAnswerSchema
      const answer = await withAssigner(assigner, (client) => client.ask({ method: 'GET', path, schema, signal }))
      const lines = json ? [JSON.stringify(answer)] : commandsLines(answer, paletteOf(colours))
      for (const line of lines) print(line)
    },
  })
}

/** Asks until there is an outcome or `waitMs` are over. An assigner that dies meanwhile is one more reason to ask again. */
async function submit(
  client: AssignerClient,
  command: Omit<CommandRequest, 'waitMs'>,
  waitMs: number,
  signal: AbortSignal,
): Promise<CommandAnswer> {
  const untilMs = realClock.monotonicMs() + waitMs
  let heard: CommandAnswer | undefined
  for (;;) {
    const leftMs = Math.max(0, untilMs - realClock.monotonicMs())
    const request: CommandRequest = { ...command, waitMs: Math.ceil(Math.min(leftMs, requestWaitMs, commandWaitMsMax)) }
    try {
      heard = await client.ask({
        method: 'POST',
        path: '/v1/commands',
        json: request,
        schema: commandAnswerSchema,
        signal,
        timeoutMs: request.waitMs + answerSlackMs,
      })
      if (heard.outcome !== undefined || realClock.monotonicMs() >= untilMs) return heard
    } catch (thrown) {
      if (!isRetryable(thrown) || leftMs <= 0) throw thrown
      await sleep(realClock, Math.min(askAgainMs, leftMs), signal)
    }
  }
}

function isRetryable(thrown: unknown): boolean {
  return thrown instanceof CatchmentError && (thrown.retryable || codeOf(thrown) === 'unreachable')
}
