// The real process, killed at random instants.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { full } from '@catchment/testing'
import { Scene } from './scene.ts'

const kills = full ? 10 : 3
/** What may be in flight and prepared, and what a checkpoint interval lets through at the pace of this test. */
const resentBytesMax = 8 * 1024 * 1024

function startProcess(scene: Scene): ChildProcess {
  const main = join(import.meta.dirname, '../src/main.ts')
  const words = [
    '--assigner',
    scene.assigner.url,
    '--follow',
    `${scene.logs}/*.log`,
    '--data',
    join(scene.root, 'data'),
  ]
  return spawn(process.execPath, [main, ...words, '--id', 'h1', '--group', 'g', '--json', '--log-level', 'error'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

async function ready(child: ChildProcess): Promise<Record<string, unknown>> {
  const [line] = (await once(child.stdout ?? child, 'data')) as [Buffer]
  return JSON.parse(line.toString()) as Record<string, unknown>
}

test('an agent killed by SIGKILL goes on at its checkpoint: nothing is lost, and little is sent twice', async () => {
  const scene = await Scene.open()
  let child: ChildProcess | undefined
  try {
    let written = ''
    let serial = 0
    const write = (lines: number): void => {
      const text = Array.from({ length: lines }, () => `line ${(serial += 1)} ${'k'.repeat(serial % 100)}\n`).join('')
      written += text
      appendFileSync(scene.path('a.log'), text)
    }
    write(20_000)
    for (let kill = 0; kill < kills; kill += 1) {
      child = startProcess(scene)
      await ready(child)
      const already = scene.collectors[0].storedBytes
      const duplicate = scene.collectors[0].duplicateBytes
      write(5000)
      await scene.until(() => scene.collectors[0].storedBytes > already + kill * 50_000, 'some progress')
      write(1000)
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(scene.collectors[0].duplicateBytes - duplicate).toBeLessThanOrEqual(resentBytesMax)
    }
    child = startProcess(scene)
    expect(await ready(child)).toMatchObject({ program: 'agent', id: 'h1', ready: true, pid: child.pid })
    await scene.until(() => scene.generations('a.log')[0] === written, 'all that was written')
    expect(scene.generations('a.log')).toHaveLength(1)
    expect(scene.collectors[0].problems).toEqual([])
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
  } finally {
    child?.kill('SIGKILL')
    await scene.close()
  }
})
