import { execFileSync } from 'node:child_process'
import { appendFile, chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { Fault } from './fake-cluster.ts'
import { Scene } from './scene.ts'

let scene: Scene
beforeEach(async () => {
  scene = await Scene.open()
})
afterEach(async () => {
  await scene.close()
})

const linesOf = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, n) => `line ${from + n} ${'x'.repeat(n % 90)}\n`).join('')

describe('an agent loses nothing', () => {
  test.each<Fault>(['drop-answer', 'drop-request', 'push-back', 'nonsense', 'misdirect', 'diverge'])(
    'when every other answer is %s',
    async (fault) => {
      let turn = 0
      scene.collectors[0].fault = () => ((turn += 1) % 2 === 1 && turn < 6 ? fault : 'none')
      await writeFile(scene.path('a.log'), linesOf(2000))
      await scene.start()
      await scene.until(() => scene.generations('a.log').includes(linesOf(2000)), 'all of the file')
      await appendFile(scene.path('a.log'), 'more\n')
      await scene.until(() => scene.generations('a.log').includes(`${linesOf(2000)}more\n`), 'what follows')
      expect(scene.collectors[0].problems).toEqual([])
    },
  )

  test('when its group moves, and goes on at the new collector', async () => {
    await writeFile(scene.path('a.log'), linesOf(100))
    await scene.start()
    await scene.arrives('a.log', [linesOf(100)])
    scene.collectors[0].fault = () => 'misdirect'
    scene.assigner.move(() => {
      scene.assigner.routes.set('g', { collector: scene.collectors[1], epoch: 2 })
    })
    await appendFile(scene.path('a.log'), linesOf(50, 100))
    await scene.until(() => scene.collectors[1].storedBytes > 0, 'bytes at the second collector')
    await scene.arrives('a.log', [linesOf(100) + linesOf(50, 100)])
  })

  test('when its collector stays behind what it knows: it reports the assigners which epoch that is', async () => {
    scene.assigner.routes.set('g', { collector: scene.collectors[0], epoch: 7 })
    await writeFile(scene.path('a.log'), linesOf(100))
    await scene.start()
    await scene.arrives('a.log', [linesOf(100)])
    scene.collectors[0].fault = () => 'behind'
    const { asked } = scene.assigner
    await appendFile(scene.path('a.log'), linesOf(50, 100))
    await scene.until(
      () => scene.assigner.asked > asked && scene.assigner.epochs.get('g') === 7,
      'the epoch to be reported',
    )
    scene.assigner.move(() => {
      scene.assigner.routes.set('g', { collector: scene.collectors[1], epoch: 8 })
    })
    await scene.arrives('a.log', [linesOf(100) + linesOf(50, 100)])
  })

  test('when its collector dies with an answer owed: frames elsewhere name what is in doubt', async () => {
    await writeFile(scene.path('a.log'), linesOf(100))
    scene.collectors[0].fault = () => 'drop-answer'
    await scene.start()
    await scene.until(() => scene.collectors[0].storedBytes > 0, 'bytes at the first collector')
    await scene.collectors[0].stop()
    scene.assigner.move(() => {
      scene.assigner.routes.set('g', { collector: scene.collectors[1], epoch: 2 })
    })
    await scene.until(() => scene.collectors[1].storedBytes > 0, 'bytes at the second collector')
    const [held] = [...scene.collectors[1].streams.values()]
    expect(held?.unconfirmed).toEqual([{ from: 0, to: linesOf(100).length, at: 'c1' }])
  })

  test('when its collector lives on at another port, in the same epoch: it is notified so at once', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    await scene.collectors[0].stop()
    await scene.collectors[0].start()
    await appendFile(scene.path('a.log'), 'two\n')
    await scene.arrives('a.log', ['one\ntwo\n']) // sooner than the 20 s that a resolve may wait for news
  })

  test('and ships where it last did while no assigner answers', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    await scene.stop()
    scene.assigner.nonsense = true
    await appendFile(scene.path('a.log'), 'two\n')
    await scene.start()
    await scene.arrives('a.log', ['one\ntwo\n'])
  })

  test('of a long line: it travels in marked parts, and what follows is intact', async () => {
    const long = `${'y'.repeat(3_500_000)}\nshort\n`
    await writeFile(scene.path('a.log'), long)
    await scene.start()
    await scene.until(() => scene.generations('a.log')[0] === long, 'the long line')
  })

  test('of a hole that a truncation left: it is a gap, and what follows arrives', async () => {
    await writeFile(scene.path('a.log'), Buffer.concat([Buffer.alloc(3_000_000), Buffer.from('after\n')]))
    const agent = await scene.start()
    await scene.until(() => scene.generations('a.log')[0]?.endsWith('\0after\n') === true, 'what follows the hole')
    expect(agent.counters.get('hole_bytes')).toBe(3_000_000)
  })
})

describe('an agent', () => {
  test('ends within its grace, who is silent', async () => {
    scene.collectors[0].fault = () => 'silence'
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.until(() => scene.collectors[0].requests > 0, 'a request')
    const startMs = performance.now()
    await scene.stop(600)
    expect(performance.now() - startMs).toBeLessThan(1200)
    expect(scene.messages('ending without waiting for something')).toEqual([])
  })

  test('starts all streams again on another machine', async () => {
    await writeFile(scene.path('a.log'), 'one\n')
    await scene.start()
    await scene.arrives('a.log', ['one\n'])
    await scene.stop()
    await scene.start({ machine: 'm2' })
    await scene.arrives('a.log', ['one\n', 'one\n'])
  })

  test('begins at the end on request', async () => {
    await writeFile(scene.path('a.log'), 'old\n')
    await scene.start({ from: 'end' })
    await appendFile(scene.path('a.log'), 'new\n')
    await scene.until(() => scene.collectors[0].storedBytes > 0, 'the new line')
    expect([...scene.collectors[0].streams.values()][0]?.ranges).toMatchObject([{ from: 4, to: 8 }])
  })

  test('counts what was deleted unread while it was away, and ships the gap', async () => {
    await writeFile(scene.path('a.log'), 'read\n')
    await scene.start()
    await scene.arrives('a.log', ['read\n'])
    scene.collectors[0].fault = () => 'push-back'
    await appendFile(scene.path('a.log'), 'never read\n')
    await scene.until(() => scene.agent?.status()['backlogBytes'] === 11, 'a backlog')
    scene.collectors[0].fault = () => 'misdirect'
    await scene.stop()
    await rm(scene.path('a.log'))
    scene.collectors[0].fault = () => 'none'
    const agent = await scene.start()
    const lost = agent.counters.get('lost_bytes')
    expect([0, 11]).toContain(lost) // the size at the last checkpoint is what can be known
    expect(scene.messages('bytes are lost')).toHaveLength(lost > 0 ? 1 : 0)
  })

  test('follows neither its own data, nor loops of links, nor a FIFO, and each file once', async () => {
    await mkdir(join(scene.logs, 'deep'))
    await symlink(scene.logs, join(scene.logs, 'deep', 'loop'))
    execFileSync('mkfifo', [scene.path('pipe.log')])
    await writeFile(scene.path('a.log'), 'a\n')
    await symlink(scene.path('a.log'), scene.path('b.log'))
    await scene.start({ follow: ['**/*'] })
    await scene.until(() => scene.collectors[0].storedBytes > 0, 'the file')
    expect([...scene.collectors[0].streams.values()].map(({ path }) => path)).toHaveLength(1)
  })

  test('reads a file as soon as it may', async () => {
    await writeFile(scene.path('a.log'), 'secret\n', { mode: 0o000 })
    await scene.start({ partialFlushMs: 100 })
    if (process.getuid?.() !== 0) {
      await scene.until(() => scene.messages('some files cannot be read; they are tried again').length > 0, 'a warning')
      expect(scene.collectors[0].storedBytes).toBe(0)
      await chmod(scene.path('a.log'), 0o644)
    }
    await scene.arrives('a.log', ['secret\n'])
  })

  test('finds the one busy file among a thousand idle ones, with few descriptors', async () => {
    for (let n = 0; n < 1000; n += 1) await writeFile(scene.path(`idle${n}.log`), 'idle\n')
    const agent = await scene.start()
    await scene.until(() => scene.collectors[0].storedBytes === 5000, 'all of them')
    await appendFile(scene.path('idle500.log'), 'awake\n')
    await scene.arrives('idle500.log', ['idle\nawake\n'])
    expect(agent.status()['openFiles']).toBeLessThan(1001)
  })
})
