// drain, cordon, serve, forget: commands for the leader, waited for; and what became of them.

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
    help: 'seconds to wait for the outcome; after them the command still waits for a leader',
    min: 0,
    max: 3_600,
    default: 30,
  }),
  noWait: toggleSetting({ help: 'do not wait for the outcome' }),
}
/** Of one request: the command's id makes it the same command however often it is sent. */
const requestWaitMs = 10_000
const answerSlackMs = 5_000
const askAgainMs = 500

const helps: Readonly<Record<CommandVerb, string>> = {
  drain: 'let a collector give all of its groups away, and give it none',
  cordon: 'let a collector keep its groups, and give it no others',
  serve: 'let a collector take groups again: the end of drain and cordon',
  forget: 'give up on a collector that is gone: others own its groups, its nodes are deleted',
}

/** `catchment drain ID` and its like. */
export function collectorCommand(verb: CommandVerb): BoundCommand {
  return defineCommand({
    name: verb,
    help: helps[verb],
    settings,
    arguments: [{ name: 'ID', help: 'the collector, as "catchment tree" shows it', required: true }],
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
    help: 'which commands wait, and what became of the last ones',
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
      if (!passes(thrown) || leftMs <= 0) throw thrown
      await sleep(realClock, Math.min(askAgainMs, leftMs), signal)
    }
  }
}

function passes(thrown: unknown): boolean {
  return thrown instanceof CatchmentError && (thrown.retryable || codeOf(thrown) === 'unreachable')
}
