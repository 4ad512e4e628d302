// The shell of every program that runs until it is stopped (collector, assigner, agent, ZooKeeper): the log entry of its
// start, its ready line, and the wait for a signal.

import { waitForAbort } from '../work/wait-for-abort.ts'
import { defineCommand, runSingleCommand, type CommandDefinition, type RunContext } from './command-line.ts'
import type { SettingsOf, SettingsSpec } from './settings.ts'
import { version } from './version.ts'

/** What a service says of itself once it works. */
export interface StartedService {
  /** The members of the ready line that are its own: `id`, `url`, `port`. */
  readonly ready: Readonly<Record<string, string | number | undefined>>
  /** The ready line for people. */
  readonly words: string
  /** Logged with the version: where it listens and where its data is, for those that do and have. */
  readonly listen?: string
  readonly data?: string
  /** Settles when the service has ended without being asked; rejects with what ended it. */
  readonly ended?: Promise<unknown>
}

export interface ServiceContext extends RunContext {
  /** Logs the start, prints the ready line, and returns when the program is to stop: at a signal, or as `ended` settles. */
  readonly serve: (started: StartedService) => Promise<void>
}

export interface Service<S extends SettingsSpec> extends Pick<CommandDefinition<S>, 'help' | 'settings'> {
  /** `collector`: in the log and the ready line; the program is `catchment-collector`. */
  readonly name: string
  /** Starts the service, awaits `context.serve` and stops what it started. */
  readonly run: (settings: SettingsOf<S>, context: ServiceContext) => Promise<void>
}

/** Runs the program of a service to its end and sets the exit code. */
export async function runService<S extends SettingsSpec>(service: Service<S>): Promise<void> {
  const { name, help, settings } = service
  const command = defineCommand({
    ...{ name, help, settings, logLevel: true },
    run: (given, context) => service.run(given, { ...context, serve: (started) => serve(name, started, context) }),
  })
  await runSingleCommand(`catchment-${name}`, command)
}

async function serve(
  name: string,
  { ready, words, listen, data, ended }: StartedService,
  { json, log, print, signal }: RunContext,
): Promise<void> {
  log.info('started', { version, ...ready, listen, data })
  print(json ? JSON.stringify({ program: name, ...ready, pid: process.pid, ready: true }) : words)
  await Promise.race([waitForAbort(signal), ...(ended === undefined ? [] : [ended])])
}
