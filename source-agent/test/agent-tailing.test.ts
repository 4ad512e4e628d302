// What files do to tailers: the adversarial cases, with real files.

import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Scene } from './scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.open()
})
afterEach(async () => {
  await scene.close()
})

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const rotate = (): void => {
  for (const n of [3, 2, 1])
    if (existsSync(scene.path(`a.log.${n}`))) renameSync(scene.path(`a.log.${n}`), scene.path(`a.log.${n + 1}`))
  renameSync(scene.path('a.log'), scene.path('a.log.1'))
}

describe('a tailer', () => {
  test('ships the last of two appends that come close together, then silence', async () => {
    await writeFile(scene.path('a.log'), 'start\n')
    await scene.start()
    let written = 'start\n'
    for (const gapMs of [5, 12, 25, 35, 47]) {
      appendFileSync(scene.path('a.log'), 'first\n')
      await pause(gapMs)
      appendFileSync(scene.path('a.log'), 'second\n')
      written += 'first\nsecond\n'
      await scene.until(() => scene.generations('a.log')[0] === written, `the append after ${gapMs} ms`)
    }
  })

  test('begins a generation when a link leads elsewhere, and finishes the old one', async () => {
    mkdirSync(join(scene.root, 'data-1'))
    writeFileSync(join(scene.root, 'data-1', 'x'), 'old\n')
    writeFileSync(join(scene.root, 'data-1', 'y'), 'new\n')
    symlinkSync(join(scene.root, 'data-1', 'x'), scene.path('a.log'))
    await scene.start()
    await scene.arrives('a.log', ['old\n'])
    appendFileSync(join(scene.root, 'data-1', 'x'), 'late\n')
    symlinkSync(join(scene.root, 'data-1', 'y'), scene.path('next'))
    renameSync(scene.path('next'), scene.path('a.log'))
    await scene.arrives('a.log', ['old\nlate\n', 'new\n'])
  })

  test('follows a directory that is renamed away and made again, and one that appears late', async () => {
    const deep = scene.path('deep')
    mkdirSync(deep)
    writeFileSync(join(deep, 'a.log'), 'one\n')
    await scene.start({ follow: ['logs/deep/*.log', 'logs/later/*/b.log'] })
    await scene.arrives('deep/a.log', ['one\n'])
    renameSync(deep, scene.path('moved'))
    mkdirSync(deep)
    writeFileSync(join(deep, 'a.log'), 'two\n')
    await scene.arrives('deep/a.log', ['one\n', 'two\n'])
    rmSync(deep, { recursive: true })
    mkdirSync(deep)
    writeFileSync(join(deep, 'a.log'), 'three\n')
    mkdirSync(scene.path('later/than'), { recursive: true })
    writeFileSync(scene.path('later/than/b.log'), 'late\n')
    await scene.arrives('deep/a.log', ['one\n', 'two\n', 'three\n'])
    await scene.arrives('later/than/b.log', ['late\n'])
  })

  test('keeps a hundred files apart that begin with the same 4 KiB', async () => {
    const banner = `${'#'.repeat(4095)}\n`
    const names = Array.from({ length: 100 }, (_, n) => `same${n}.log`)
    for (const name of names) writeFileSync(scene.path(name), banner)
    await scene.start()
    for (const name of names) appendFileSync(scene.path(name), `mine is ${name}\n`)
    for (const name of names) await scene.arrives(name, [`${banner}mine is ${name}\n`])
    expect(scene.collectors[0].streams.size).toBe(100)
  })

  test('holds little of a line of 64 MiB, and ships what follows it', async () => {
    const long = 64 * 1024 * 1024
    writeFileSync(scene.path('a.log'), 'before\n')
    appendFileSync(scene.path('a.log'), Buffer.alloc(long, randomBytes(512).toString('hex')))
    appendFileSync(scene.path('a.log'), '\nafter\n')
    scene.collectors[0].keeps = false
    const agent = await scene.start()
    let heldBytes = 0
    await scene.until(() => {
      heldBytes = Math.max(heldBytes, Number(agent.status()['memoryBytes']))
      return scene.collectors[0].storedBytes === long + 14
    }, 'all of it')
    expect(heldBytes).toBeLessThanOrEqual(16 * 1024 * 1024)
    scene.collectors[0].keeps = true
    appendFileSync(scene.path('a.log'), 'more\n')
    await scene.until(() => scene.collectors[0].storedBytes === long + 19, 'what follows')
  })

  test('drains a deleted file from the descriptor that it holds, and lets go of it', async () => {
    const lines = 'a line to be read before the file is gone\n'.repeat(200_000)
    writeFileSync(scene.path('a.log'), 'first\n')
    const agent = await scene.start()
    await scene.arrives('a.log', ['first\n'])
    scene.collectors[0].fault = () => 'push-back'
    appendFileSync(scene.path('a.log'), lines)
    unlinkSync(scene.path('a.log'))
    scene.collectors[0].fault = () => 'none'
    await scene.until(() => scene.generations('a.log')[0] === `first\n${lines}`, 'the deleted file')
    expect(agent.counters.get('lost_bytes')).toBe(0)
  })
})

describe('a generation that came and went unseen', () => {
  test('while no agent ran is shipped under the path, older ones are left alone', async () => {
    writeFileSync(scene.path('a.log.1'), 'from before the first start\n')
    await pause(5)
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    await scene.stop()
    for (const text of ['two\n', 'three\n']) {
      rotate()
      await writeFile(scene.path('a.log'), text)
    }
    rotate()
    writeFileSync(scene.path('a.log.2.gz'), 'no')
    await scene.start()
    await scene.arrives('a.log', ['one\n', 'two\n', 'three\n'])
    await appendFile(scene.path('a.log'), 'four\n')
    await scene.arrives('a.log', ['one\n', 'two\n', 'three\n', 'four\n'])
  })

  test('and was removed is counted', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    const agent = await scene.start()
    await scene.arrives('a.log', ['one\n'])
    rotate()
    writeFileSync(scene.path('a.log'), 'two\n')
    rotate()
    rmSync(scene.path('a.log.1'))
    writeFileSync(scene.path('a.log'), 'three\n')
    await scene.arrives('a.log', ['one\n', 'three\n'])
    await scene.until(() => agent.counters.get('unobserved_generations') > 0, 'the count')
    expect(agent.counters.get('unobserved_generations')).toBe(1)
  })

  test('between two looks at a path without a file is shipped', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    rotate()
    await scene.until(() => scene.messages('a file was rotated').length > 0, 'a look')
    writeFileSync(scene.path('a.log'), 'two\n')
    rotate()
    writeFileSync(scene.path('a.log'), 'three\n')
    await scene.arrives('a.log', ['one\n', 'two\n', 'three\n'])
  })
})
