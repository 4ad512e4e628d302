// The frame around every program: flags, help, signals, exit codes (0 done, 1 failed, 2 used wrongly), and the last words
// of a failure.

import { isatty } from 'node:tty'
import { Command as Commander, CommanderError, Option } from 'commander'
import { asError, realClock, type Timer } from './clock.ts'
import { CatchmentError, codeOf } from './errors.ts'
import { environment, flagName, loadSettings, toggleSetting, type SettingsOf, type SettingsSpec } from './settings.ts'

export interface RunContext {
  /** Aborts at the first SIGINT or SIGTERM, or when the parent goes away: end cleanly, soon. A second signal kills. */
  readonly signal: AbortSignal
  /** The words given for the command's positional arguments, in their order. */
  readonly arguments: readonly string[]
  /** `--json`: print one JSON value per line, nothing else. */
  readonly json: boolean
  /** Standard output is a terminal that shows colours. */
  readonly colours: boolean
  /** A line on standard output. */
  readonly print: (line: string) => void
  /** The words after `--`, or of a command that hands over. */
  readonly rest: readonly string[]
}

export interface Command<S extends SettingsSpec> {
  readonly name: string
  readonly help: string
  readonly settings: S
  /** Positional; what may be left out comes last. */
  readonly arguments?: readonly { readonly name: string; readonly help: string; readonly required: boolean }[]
  /** Takes every word as it is, flags too, for another program: `context.rest`. */
  readonly handsOver?: boolean
  readonly run: (settings: SettingsOf<S>, context: RunContext) => Promise<void>
}

/** A command whose settings have been bound to its run: what a program holds a list of. */
export interface BoundCommand {
  readonly register: (parent: Commander | undefined, run: Runner) => Commander
}

type Runner = (work: (signal: AbortSignal) => Promise<void>, json: boolean) => Promise<void>

const commonSettings = {
  json: toggleSetting({ help: 'print one JSON value per line, for machines' }),
  exitWithStdin: toggleSetting({ help: 'end when standard input ends (the parent died)' }),
} satisfies SettingsSpec

/** Ctrl-C reaches every process of a terminal, and npm passes it on once more: an echo is no second wish. */
const signalEchoMs = 500

const usageCodes = new Set(['usage', 'insecure', 'bad-address'])

export function defineCommand<S extends SettingsSpec>(command: Command<S>): BoundCommand {
  return {
    register: (parent, run) => {
      const target = parent === undefined ? new Commander(command.name) : parent.command(command.name)
      target.description(command.help)
      for (const { name, help, required } of command.arguments ?? [])
        target.argument(required ? `<${name}>` : `[${name}]`, help)
      if (command.handsOver === true)
        target
          .argument('[words...]', 'as that program takes them')
          .allowUnknownOption()
          .helpOption(false)
          .passThroughOptions()
      else addOptions(target, command.settings)
      target.action(async () => {
        await runCommand(command, target, run)
      })
      return target
    },
  }
}

/** Commands below a word of their own: `config get`, `config set`. */
export function defineGroup(group: {
  readonly name: string
  readonly help: string
  readonly commands: readonly BoundCommand[]
}): BoundCommand {
  return {
    register: (parent, run) => {
      const target = parent === undefined ? new Commander(group.name) : parent.command(group.name)
      target.description(group.help)
      for (const command of group.commands) prepare(command.register(target, run))
      return target
    },
  }
}

/** Runs a program of one command, or of several, and ends the process with its exit code. */
export async function runProgram(program: {
  readonly name: string
  readonly help: string
  readonly version: string
  readonly commands: readonly BoundCommand[] | BoundCommand
}): Promise<void> {
  const run: Runner = async (work, json) => {
    await guarded(program.name, work, json)
  }
  let root: Commander
  if ('register' in program.commands) root = program.commands.register(undefined, run).name(program.name)
  else {
    root = new Commander(program.name).description(program.help).enablePositionalOptions()
    for (const command of program.commands) prepare(command.register(root, run))
  }
  prepare(root).version(program.version)
  try {
    await root.parseAsync(process.argv)
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    process.exitCode = thrown.exitCode === 0 ? 0 : 2
  }
}

function prepare(command: Commander): Commander {
  return command.exitOverride().showHelpAfterError('(--help shows what there is)').allowExcessArguments(false)
}

function addOptions(target: Commander, spec: SettingsSpec): void {
  for (const [name, setting] of Object.entries({ ...spec, ...commonSettings })) {
    const value =
      setting.placeholder === undefined
        ? ''
        : setting.list
          ? ` <${setting.placeholder}...>`
          : ` <${setting.placeholder}>`
    const shown = setting.shownDefault === undefined ? '' : ` (default: ${setting.shownDefault})`
    const option = new Option(`${flagName(name)}${value}`, setting.help + shown)
    target.addOption(name === 'exitWithStdin' ? option.hideHelp() : option)
  }
  target.addOption(new Option('--config <FILE>', 'a YAML file with any of these settings'))
}

async function runCommand<S extends SettingsSpec>(command: Command<S>, target: Commander, run: Runner): Promise<void> {
  const flags: Record<string, unknown> =
    command.handsOver === true ? {} : withNegations(target.opts(), command.settings)
  const { config, ...given } = flags
  const json = given['json'] === true
  await run(async (signal) => {
    const sources = {
      flags: given,
      environment: environment(),
      configPath: typeof config === 'string' ? config : undefined,
    }
    const common = loadSettings(commonSettings, { ...sources, configPath: undefined })
    const settings = loadSettings(command.settings, sources)
    const parent = common.exitWithStdin ? watchParent() : undefined
    const ends = parent === undefined ? signal : AbortSignal.any([signal, parent.gone])
    try {
      await command.run(settings, {
        signal: ends,
        arguments: command.handsOver === true ? [] : target.args,
        json,
        colours: isatty(1) && process.stdout.hasColors() && sources.environment['NO_COLOR'] === undefined,
        print: (line) => {
          process.stdout.write(`${line}\n`)
        },
        rest: command.handsOver === true ? target.args : [],
      })
    } finally {
      parent?.release()
    }
  }, json)
}

/** `--no-wait` is to commander the denial of a `wait`; to us it is the toggle `noWait`. */
function withNegations(flags: Readonly<Record<string, unknown>>, spec: SettingsSpec): Record<string, unknown> {
  const given = { ...flags }
  for (const name of Object.keys(spec)) {
    const [, first = '', rest = ''] = /^no([A-Z])(.*)$/.exec(name) ?? []
    const denied = first.toLowerCase() + rest
    if (first === '' || given[denied] !== false) continue
    given[name] = true
    Reflect.deleteProperty(given, denied)
  }
  return given
}

/** Runs `work` under the signals; reports what it throws in words and sets the exit code. */
async function guarded(name: string, work: (signal: AbortSignal) => Promise<void>, json: boolean): Promise<void> {
  const stop = new AbortController()
  let firstAtMs = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      if (realClock.monotonicMs() - firstAtMs > signalEchoMs) process.exit(signal === 'SIGINT' ? 130 : 143)
      return
    }
    firstAtMs = realClock.monotonicMs()
    stop.abort(new CatchmentError('stopped', `stopped by ${signal}`, { blame: 'operator' }))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  process.stdout.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error
    process.exit(0) // `catchment tree | head`
  })
  process.stderr.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error // who read the log is gone: the end must still be a clean one
  })
  try {
    await work(stop.signal)
  } catch (thrown) {
    if (codeOf(thrown) === 'stopped') return
    const error = asError(thrown)
    const code = codeOf(error)
    const ours = error instanceof CatchmentError && error.blame !== 'bug'
    const message = ours ? error.message : (error.stack ?? error.message)
    process.stderr.write(
      json ? `${JSON.stringify({ error: { code: code ?? 'internal', message } })}\n` : `${name}: ${message}\n`,
    )
    process.exitCode = code !== undefined && usageCodes.has(code) ? 2 : 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Nobody is left to kill a program that hangs while it ends, and its data would stay locked: it kills itself. */
const parentGoneGraceMs = 8_000

/** `gone` aborts when standard input ends. Until `release`, a program that has not ended by then ends for good. */
function watchParent(): { readonly gone: AbortSignal; readonly release: () => void } {
  const ended = new AbortController()
  let last: Timer | undefined
  const end = (): void => {
    last ??= realClock.after(parentGoneGraceMs, () => {
      process.exit(1)
    })
    ended.abort(new CatchmentError('stopped', 'standard input ended: the parent is gone', { blame: 'operator' }))
  }
  process.stdin.on('end', end).on('close', end).on('error', end).resume()
  return {
    gone: ended.signal,
    release: () => {
      // Destroyed, for an open pipe keeps the process alive.
      process.stdin.off('end', end).off('close', end).destroy()
      last?.cancel()
    },
  }
}
