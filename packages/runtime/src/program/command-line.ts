// The command line of every program: commands, their flags, help, and usage errors.

import { isatty } from 'node:tty'
import { Command as Commander, CommanderError, Option } from 'commander'
import { createLog, type Log } from '../telemetry/log.ts'
import { runToEnd, watchParent } from './process.ts'
import {
  choiceSetting,
  environment,
  flagName,
  loadSettings,
  toggleSetting,
  type SettingSources,
  type SettingsOf,
  type SettingsSpec,
} from './settings.ts'
import { version } from './version.ts'

export interface RunContext {
  /** Aborts at the first SIGINT or SIGTERM, or when the parent goes away: end cleanly, soon. A second signal kills. */
  readonly signal: AbortSignal
  /** The words given for the command's positional arguments, in their order. */
  readonly arguments: readonly string[]
  /** `--json`: print one JSON value per line, nothing else. */
  readonly json: boolean
  /** Standard output is a terminal that shows colours. */
  readonly colours: boolean
  /** JSON lines on standard error, from `--log-level` up. */
  readonly log: Log
  /** A line on standard output. */
  readonly print: (line: string) => void
  /** The words after `--`, or of a command that hands over. */
  readonly rest: readonly string[]
}

/** A command before its settings are bound to its run. */
export interface CommandDefinition<S extends SettingsSpec> {
  readonly name: string
  readonly help: string
  readonly settings: S
  /** Positional; what may be left out comes last. */
  readonly arguments?: readonly { readonly name: string; readonly help: string; readonly required: boolean }[]
  /** Has `--log-level`. */
  readonly logLevel?: boolean
  /** Takes every word as it is, flags too, for another program: `context.rest`. */
  readonly handsOver?: boolean
  readonly run: (settings: SettingsOf<S>, context: RunContext) => Promise<void>
}

/** A command whose settings have been bound to its run: what a program holds a list of. */
export interface BoundCommand {
  readonly register: (parent: Commander | undefined, run: WorkRunner) => Commander
}

/** Runs the work of a command under the signals of the process. */
type WorkRunner = (work: (signal: AbortSignal) => Promise<void>, json: boolean) => Promise<void>

const logSettings = {
  logLevel: choiceSetting({
    help: 'least severe entries to log',
    choices: ['debug', 'info', 'warn', 'error'],
    default: 'info',
  }),
} satisfies SettingsSpec

const noSources: SettingSources = { flags: {}, environment: {}, configPath: undefined }

const commonSettings = {
  json: toggleSetting({ help: 'print one JSON value per line' }),
  exitWithStdin: toggleSetting({ help: 'stop when standard input ends (the parent process has died)' }),
} satisfies SettingsSpec

export function defineCommand<S extends SettingsSpec>(command: CommandDefinition<S>): BoundCommand {
  return {
    register: (parent, run) => {
      const target = parent === undefined ? new Commander(command.name) : parent.command(command.name)
      target.description(command.help)
      for (const { name, help, required } of command.arguments ?? [])
        target.argument(required ? `<${name}>` : `[${name}]`, help)
      if (command.handsOver === true)
        target
          .argument('[words...]', 'options of that program')
          .allowUnknownOption()
          .helpOption(false)
          .passThroughOptions()
      else addOptions(target, { ...command.settings, ...(command.logLevel === true && logSettings) })
      target.action(async () => {
        await runCommand(command, target, run)
      })
      return target
    },
  }
}

/** Commands below a common word: `config get`, `config set`. */
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

/** A program of several commands. Runs the command that is named on the command line and sets the exit code. */
export async function runProgram(program: {
  readonly name: string
  readonly help: string
  readonly commands: readonly BoundCommand[]
}): Promise<void> {
  const run = runnerOf(program.name)
  const root = new Commander(program.name).description(program.help).enablePositionalOptions()
  for (const command of program.commands) prepare(command.register(root, run))
  await parse(root)
}

/** A program of one command, which bears the program's name. Runs it and sets the exit code. */
export async function runSingleCommand(name: string, command: BoundCommand): Promise<void> {
  await parse(command.register(undefined, runnerOf(name)).name(name))
}

function runnerOf(name: string): WorkRunner {
  return async (work, json) => {
    await runToEnd({ name, json }, work)
  }
}

async function parse(root: Commander): Promise<void> {
  prepare(root).version(version)
  try {
    await root.parseAsync(process.argv)
  } catch (thrown) {
    if (!(thrown instanceof CommanderError)) throw thrown
    process.exitCode = thrown.exitCode === 0 ? 0 : 2
  }
}

function prepare(command: Commander): Commander {
  return command.exitOverride().showHelpAfterError('(--help lists the options)').allowExcessArguments(false)
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
  target.addOption(new Option('--config <FILE>', 'YAML file with any of these settings'))
}

async function runCommand<S extends SettingsSpec>(
  command: CommandDefinition<S>,
  target: Commander,
  run: WorkRunner,
): Promise<void> {
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
    const settings = loadSettings(command.settings, sources, command.logLevel === true ? Object.keys(logSettings) : [])
    const { logLevel } = loadSettings(
      logSettings,
      command.logLevel === true ? sources : noSources,
      Object.keys(command.settings),
    )
    const parent = common.exitWithStdin ? watchParent() : undefined
    const ends = parent === undefined ? signal : AbortSignal.any([signal, parent.gone])
    try {
      await command.run(settings, {
        signal: ends,
        arguments: command.handsOver === true ? [] : target.args,
        json,
        log: createLog({ program: command.name, level: logLevel }),
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

/** Commander takes `--no-wait` for the negation of `wait`; here it is the toggle `noWait`. */
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
