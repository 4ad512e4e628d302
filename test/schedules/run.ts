#!/usr/bin/env node
// Plays schedules and prints those that failed: see `usage`. With --without it takes a guard out of its recipe and plays until
// a schedule fails: a guard without which all is green is no guard, or the schedules do not reach it; exit 1.

import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { asError } from '@catchment/runtime'
import { guards } from './guards/guards.ts'
import type { Guard } from './guards/guard.ts'
import { takeOut } from './guards/without.ts'

const usage = `node test/schedules/run.ts [RECIPE] [--seeds FROM-TO] [--stop] [--without GUARD | --without all]

  RECIPE     one of test/schedules/stories/stories.ts; all of them unless given
  --seeds    which schedules of each; 1-1000 unless given
  --stop     end at the first that fails
  --without  take this guard of test/schedules/guards/ out; all: each in turn`
/** Who waits hears of it this often. */
const progressMs = 10_000

const { values, recipe, from, to } = given()

if (values.help) console.log(usage)
else if (values.without === 'all') process.exitCode = everyGuard() ? 0 : 1
else if (values.without === undefined) process.exitCode = (await play(recipe, values.stop)) === 0 ? 0 : 1
else process.exitCode = (await withoutOne(values.without)) ? 0 : 1

function given() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        seeds: { type: 'string', default: '1-1000' },
        stop: { type: 'boolean', default: false },
        without: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(values.seeds) ?? []
    if (from === undefined || Number(to) < Number(from) || positionals.length > 1)
      throw new Error(`--seeds is FROM-TO and RECIPE one word or in quotes, not ${process.argv.slice(2).join(' ')}`)
    return { values, recipe: positionals[0], from: Number(from), to: Number(to) }
  } catch (thrown) {
    return refuse(asError(thrown).message)
  }
}

function refuse(why: string): never {
  console.error(`${why}\n\n${usage}`)
  process.exit(2)
}

/** Each guard in a process of its own, for what a process has loaded it keeps. */
function everyGuard(): boolean {
  const chosen = guards.filter((guard) => recipe === undefined || guard.recipe === recipe)
  const self = fileURLToPath(import.meta.url)
  const ended = chosen.map((guard) =>
    spawnSync(
      process.execPath,
      [...process.execArgv, self, guard.recipe, '--without', guard.name, '--seeds', values.seeds],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    ),
  )
  return ended.every(({ status }) => status === 0)
}

async function withoutOne(name: string): Promise<boolean> {
  const guard = guards.find((one) => one.name === name && (recipe === undefined || one.recipe === recipe))
  if (guard === undefined) refuse(`no guard ${JSON.stringify(name)}; there are: ${guards.map(shown).join('; ')}`)
  takeOut(guard)
  const red = await play(guard.recipe, true)
  console.log(`${shown(guard)}: ${red > 0 ? `red at seed ${red}` : `GREEN over ${to - from + 1} schedules`}`)
  return red > 0
}

/** Returns how many failed; the first seed that failed when it is to stop there. */
async function play(recipe: string | undefined, stop: boolean): Promise<number> {
  const { playSchedule } = await import('./world/schedule.ts')
  const { stories } = await import('./stories/stories.ts')
  const chosen = stories.filter((story) => recipe === undefined || story.recipe === recipe)
  if (chosen.length === 0)
    refuse(`no recipe ${JSON.stringify(recipe)}; there are: ${stories.map((one) => one.recipe).join(', ')}`)
  let failed = 0
  for (const story of chosen) {
    const startedMs = performance.now()
    const before = failed
    let felt = 0
    let toldMs = startedMs
    for (let seed = from; seed <= to; seed += 1) {
      try {
        felt += (await playSchedule(story, seed)).feltFaults.length
      } catch (thrown) {
        failed += 1
        if (values.without === undefined) console.error(thrown instanceof Error ? thrown.message : thrown)
        if (stop) return seed
      }
      if (performance.now() - toldMs < progressMs) continue
      toldMs = performance.now()
      console.error(`${story.recipe}: at seed ${seed} of ${to}, ${failed - before} failed`)
    }
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    console.log(`${story.recipe}: ${to - from + 1} schedules, ${felt} faults, ${failed - before} failed, ${seconds} s`)
  }
  return failed
}

function shown(guard: Guard): string {
  return `${guard.recipe} without "${guard.name}"`
}
