// `catchment up`: the whole system on this machine, each program its own process.

import { realpath } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import {
  bytesSetting,
  createLog,
  defineCommand,
  listSetting,
  lockDirectory,
  makePrivateDirectory,
  numberSetting,
  optionalNumberSetting,
  optionalTextSetting,
  realRandom,
  usage,
  type BoundCommand,
  type Clock,
  type Random,
  type RunContext,
  type SettingsOf,
} from '@catchment/runtime'
import { restartDelayMs } from '../decide/supervision.ts'
import { stateDirectory, writeLastUp } from '../client/last-up.ts'
import type { FindProgram } from '../programs/find-program.ts'
import { paletteOf } from '../view/palette.ts'
import { upWarnings } from '../view/up-view.ts'
import { fileToMake, lookAt } from './followed.ts'
import { humanAnnouncer, machineAnnouncer, type UpStory } from './announcers.ts'
import { assignerUrls, layoutOf, membersOf, type LaunchPlan } from './launch.ts'
import { choosePort, defaultPort } from './ports.ts'
import { Supervisor, type Announcer } from './supervisor.ts'

const membersMax = 64

const settings = {
  follow: listSetting({
    placeholder: 'GLOB',
    default: ['/var/log/**/*.log'],
    help: 'files to follow; quote globs so that the shell does not expand them',
  }),
  data: optionalTextSetting({
    placeholder: 'DIR',
    help: 'directory for all data (default: ~/.local/state/catchment)',
  }),
  collectors: numberSetting({ min: 1, max: membersMax, default: 2, help: 'number of collectors' }),
  assigners: numberSetting({ min: 1, max: membersMax, default: 1, help: 'number of assigners; one of them leads' }),
  port: optionalNumberSetting({
    min: 0,
    max: 65_535,
    help: `port of the first assigner; 0 takes a free one (default: ${defaultPort}, or a free one if that is in use)`,
  }),
  diskMax: bytesSetting({
    default: '5GiB',
    help: 'disk space for all collectors together; when it is full, agents wait',
  }),
}

export interface UpWorld {
  readonly find: FindProgram
  readonly clock: Clock
  readonly random?: Random
  /** The port to try where none is asked for; 7070. */
  readonly preferredPort?: number
}

/** `find`, time, randomness and the preferred port are arguments: the tests run it with small programs of their own. */
export function upCommand(world: UpWorld): BoundCommand {
  return defineCommand({
    name: 'up',
    help: 'Run the whole system on this machine: ZooKeeper, assigners, collectors, and an agent',
    settings,
    run: (given, context) => up(given, context, world),
  })
}

async function up(given: SettingsOf<typeof settings>, context: RunContext, world: UpWorld): Promise<void> {
  const startedAtMs = world.clock.monotonicMs()
  const wanted = resolve(given.data ?? stateDirectory())
  const lock = await lockDirectory(wanted, 'catchment up')
  try {
    const layout = layoutOf(await realpath(wanted))
    for (const directory of [layout.out, layout.logs, layout.compileCache]) await makePrivateDirectory(directory)
    const port = await choosePort(given.port, world.preferredPort)
    const globs = given.follow.map((glob) => resolve(glob))
    if (globs.length === 0) throw usage('--follow needs a glob, for example --follow "/var/log/**/*.log"')
    const followed = await lookAt(globs, layout.data, world.clock)
    const plan: LaunchPlan = {
      layout,
      globs,
      listen: port.listen,
      members: membersOf(given, hostname()),
      diskBytesMax: given.diskMax,
    }
    const story: UpStory = {
      plan,
      followed,
      makeable: followed.writable === undefined ? await fileToMake(globs, layout.data) : undefined,
      marker: markerOf(world.random ?? realRandom),
      startedAtMs,
      restartDelayMs,
    }
    const announce = announcerOf(context, world, story)
    announceStart(context, { given, world, story, moved: port.moved })
    await new Supervisor({ plan, find: world.find, clock: world.clock, announce }).run(context.signal)
    if (!context.json) context.print('All programs have ended.')
  } finally {
    lock.release()
  }
}

function announcerOf(context: RunContext, world: UpWorld, story: UpStory): Announcer {
  const log = createLog({ program: 'up', level: 'info' })
  const voice = context.json
    ? machineAnnouncer(story, context.print, log)
    : humanAnnouncer(story, { clock: world.clock, print: context.print, palette: paletteOf(context.colours) })
  return {
    ...voice,
    up: (running) => {
      const addresses = new Map(running.map((one) => [one.id, one]))
      const { data, out } = story.plan.layout
      const assigners = [...assignerUrls(story.plan.members, addresses)]
      writeLastUp({ pid: process.pid, data, out, assigners }).then(
        () => {
          voice.up(running)
        },
        (error: unknown) => {
          log.warn('could not record where this "catchment up" runs: other commands need --assigner', {
            reason: String(error),
          })
          voice.up(running)
        },
      )
    },
  }
}

/** Printed before the first program runs. */
function announceStart(
  context: RunContext,
  start: { given: SettingsOf<typeof settings>; world: UpWorld; story: UpStory; moved: boolean },
): void {
  const palette = paletteOf(context.colours)
  const say = (line: string): void => {
    if (context.json) process.stderr.write(`${line}\n`)
    else context.print(line)
  }
  const wanted = start.world.preferredPort ?? defaultPort
  if (start.moved)
    say(`${palette.warn('note:')} port ${wanted} is in use by another process: the assigner takes a free one`)
  for (const line of upWarnings(start.story.followed, palette)) say(line)
  if (!context.json) say(`Starting ${start.story.plan.members.length} programs in ${start.story.plan.layout.data} …`)
}

/** A word that is in no log yet. */
function markerOf(random: Random): string {
  return `hello-${Buffer.from(random.bytes(3)).toString('hex')}`
}
