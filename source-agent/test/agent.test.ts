import { appendFile, copyFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { Scene } from './scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.open()
})
afterEach(async () => {
  await scene.close()
})

describe('an agent ships', () => {
  test('what is there, and what is appended', async () => {
    await writeFile(scene.path('a.log'), 'one\ntwo\n')
    await scene.start()
    await scene.arrives('a.log', ['one\ntwo\n'])
    await appendFile(scene.path('a.log'), 'three\n')
    await scene.arrives('a.log', ['one\ntwo\nthree\n'])
    expect(scene.collectors[0].problems).toEqual([])
  })

  test('a file that appears later', async () => {
    await scene.start()
    expect(scene.messages('no file matches yet, waiting for some')).toHaveLength(1)
    await writeFile(scene.path('late.log'), 'x\n')
    await scene.arrives('late.log', ['x\n'])
  })

  test('both generations of a file that is rotated by rename, late writes too', async () => {
    await writeFile(scene.path('a.log'), 'old\n')
    await scene.start()
    await scene.arrives('a.log', ['old\n'])
    await rename(scene.path('a.log'), scene.path('a.log.1'))
    await writeFile(scene.path('a.log'), 'new\n')
    await appendFile(scene.path('a.log.1'), 'late\n')
    await scene.arrives('a.log', ['old\nlate\n', 'new\n'])
  })

  test('every generation when a file is rotated several times between two looks', async () => {
    await writeFile(scene.path('a.log'), '1\n')
    await scene.start()
    await scene.arrives('a.log', ['1\n'])
    for (const n of [2, 3, 4]) {
      for (const k of [3, 2, 1])
        await rename(scene.path(`a.log.${k}`), scene.path(`a.log.${k + 1}`)).catch(() => undefined)
      await rename(scene.path('a.log'), scene.path('a.log.1'))
      await writeFile(scene.path('a.log'), `${n}\n`)
    }
    await scene.arrives('a.log', ['1\n', '2\n', '3\n', '4\n'])
  })

  test('a new generation after a truncation, also when it has grown past the old offset', async () => {
    await writeFile(scene.path('a.log'), 'first generation\n')
    await scene.start()
    await scene.arrives('a.log', ['first generation\n'])
    await truncate(scene.path('a.log'), 0)
    await appendFile(scene.path('a.log'), 'second generation, longer than the first\n')
    await scene.arrives('a.log', ['first generation\n', 'second generation, longer than the first\n'])
  })

  test('the unread rest from the copy when copytruncate is quicker than the agent', async () => {
    await writeFile(scene.path('a.log'), `${'header '.repeat(20)}\n`)
    await scene.start()
    await scene.arrives('a.log', [`${'header '.repeat(20)}\n`])
    scene.collectors[0].fault = () => 'push-back'
    await appendFile(scene.path('a.log'), 'unread\n')
    await copyFile(scene.path('a.log'), scene.path('a.log.1'))
    await truncate(scene.path('a.log'), 0)
    await appendFile(scene.path('a.log'), 'next\n')
    scene.collectors[0].fault = () => 'none'
    await scene.arrives('a.log', [`${'header '.repeat(20)}\nunread\n`, 'next\n'])
  })

  test('what a deleted file held', async () => {
    await writeFile(scene.path('a.log'), 'a\n')
    await scene.start()
    await scene.arrives('a.log', ['a\n'])
    await appendFile(scene.path('a.log'), 'b\n')
    await rm(scene.path('a.log'))
    await scene.arrives('a.log', ['a\nb\n'])
  })

  test('a last line without newline after the flush time, marked, and the rest after it', async () => {
    await writeFile(scene.path('a.log'), 'whole\nhalf')
    await scene.start()
    await scene.arrives('a.log', ['whole\nhalf'])
    await appendFile(scene.path('a.log'), ' and half\n')
    await scene.arrives('a.log', ['whole\nhalf and half\n'])
  })

  test('from its checkpoint after a restart, nothing twice', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    await scene.stop()
    await appendFile(scene.path('a.log'), 'two\n')
    await scene.start()
    await scene.arrives('a.log', ['one\ntwo\n'])
    expect(scene.collectors[0].duplicateBytes).toBe(0)
  })
})
