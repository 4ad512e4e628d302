import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import { guards } from './guards/guards.ts'
import { stories } from './stories/stories.ts'

const run = fileURLToPath(new URL('run.ts', import.meta.url))

describe('guards of the recipes', () => {
  test('each stands in its file exactly once, and every recipe has one', () => {
    for (const { file, name, text } of guards)
      expect([name, readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8').split(text).length]).toEqual([
        name,
        2,
      ])
    expect(new Set(guards.map(({ recipe }) => recipe))).toEqual(new Set(stories.map(({ recipe }) => recipe)))
  })

  // Half an hour of processor time at worst: a schedule that fails is usually among the first dozens.
  if (full)
    test.each(guards.map(({ recipe, name }) => [recipe, name] as const))(
      '%s fails without: %s',
      (recipe, name) => {
        const words = ['--disable-warning=ExperimentalWarning', run, recipe, '--without', name]
        const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8' })
        expect([status, stdout]).toEqual([0, expect.stringContaining('red at seed')])
      },
      900_000,
    )
})
