// The two voices of `up`: sentences for people, one JSON value per line for machines.

import type { Clock, Log } from '@catchment/runtime'
import type { Palette } from '../view/palette.ts'
import { timeOfDay } from '../view/time.ts'
import { backLine, deathLine, upReport, type FollowedFiles } from '../view/up-view.ts'
import { assignerUrls, type LaunchPlan } from './launch.ts'
import type { Announcer } from './supervisor.ts'

/** What is known before the first program runs. */
export interface UpStory {
  readonly plan: LaunchPlan
  readonly followed: FollowedFiles
  readonly makeable: string | undefined
  readonly marker: string
  readonly startedAtMs: number
  readonly restartDelayMs: number
}

export function humanAnnouncer(
  story: UpStory,
  voice: { readonly clock: Clock; readonly print: (line: string) => void; readonly palette: Palette },
): Announcer {
  const { clock, print, palette } = voice
  const { layout, globs } = story.plan
  return {
    ready: (running, restart) => {
      if (restart) print(backLine(running, timeOfDay(clock.now()), palette))
    },
    died: (dead) => {
      print(deathLine(dead, timeOfDay(clock.now()), palette))
    },
    killed: ({ role, id }) => {
      print(`${role} ${id} did not end in time and is killed`)
    },
    up: (running) => {
      const tookMs = clock.monotonicMs() - story.startedAtMs
      for (const line of upReport({ ...story, ...layout, globs, running, tookMs }, palette)) print(line)
    },
  }
}

/** Standard output holds ready lines and nothing else; deaths are log lines on standard error. */
export function machineAnnouncer(story: UpStory, print: (line: string) => void, log: Log): Announcer {
  return {
    ready: ({ role, id, pid, url, port }) => {
      const where = url ?? (port === undefined ? undefined : `zookeeper://127.0.0.1:${port}`)
      print(JSON.stringify({ program: role, id, pid, url: where, port, ready: true }))
    },
    died: (dead) => {
      log.warn('a program died and restarts', { ...dead })
    },
    killed: (member) => {
      log.warn('a program did not end in time and is killed', { ...member })
    },
    up: (running) => {
      const { data, out } = story.plan.layout
      const [url] = assignerUrls(story.plan.members, new Map(running.map((one) => [one.id, one])))
      print(JSON.stringify({ program: 'catchment', ready: true, data, out, url }))
    },
  }
}
