// Data directories of former versions go on, and those of newer ones are left alone.

import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHttpClient, realClock, realRandom } from '@catchment/runtime'
import { collectingLog } from '@catchment/testing'
import { openAgentData } from '../src/data/agent-data.ts'
import { decodeLine, encodeLine, replay } from '../src/data/checkpoint-record.ts'
import { Assigners } from '../src/routing/assigners.ts'
import { Resolver } from '../src/routing/resolver.ts'
import { contentOf } from './fake-cluster.ts'
import { Scene } from './scene.ts'

const fixture = join(import.meta.dirname, 'fixtures/data-0.1.0')
const recordedRoot = '/srv/catchment'
const files = ['agent.json', 'assigners.json', 'assignment.json', 'checkpoints.log']
const log = collectingLog()

let scene: Scene
let directory: string
beforeEach(async () => {
  scene = await Scene.open()
  directory = join(scene.root, 'data')
  await mkdir(directory)
  for (const name of files) await copyFile(join(fixture, name), join(directory, name))
  for (const name of await readdir(join(fixture, 'logs'))) await copyFile(join(fixture, 'logs', name), scene.path(name))
})
afterEach(async () => {
  await scene.close()
})

const open = (): ReturnType<typeof openAgentData> =>
  openAgentData(directory, { id: 'h1', machine: 'm1', random: realRandom, log })

/** Reads from the directory what one part remembers; nothing is asked over HTTP. */
async function remembered(): Promise<{ assigners: Assigners; resolver: Resolver }> {
  const http = createHttpClient({ connectionsPerOrigin: 1, connectTimeoutMs: 1000 })
  const common = { http, clock: realClock, random: realRandom, log, directory }
  const assigners = new Assigners({ ...common, seeds: ['http://127.0.0.1:17500'], refreshMs: 1000 })
  const agent = { id: 'h1', starts: 3, incarnation: 'i' }
  const resolver = new Resolver({ ...common, assigners, agent })
  await assigners.load()
  await resolver.load()
  await http.close()
  return { assigners, resolver }
}

/** The checkpoint log with the paths of this scene; nothing else of it is changed. */
async function moveCheckpoints(): Promise<void> {
  const path = join(directory, 'checkpoints.log')
  const moved = (text: string): string => text.replace(recordedRoot, scene.root)
  const lines = (await readFile(path, 'utf8')).split('\n').flatMap((text) => {
    const line = decodeLine(text)
    if (line === undefined) return []
    if (line.kind !== 'stream') return [encodeLine(line)]
    const { record } = line
    return [encodeLine({ ...line, record: { ...record, path: moved(record.path), at: moved(record.at) } })]
  })
  await writeFile(path, lines.join(''))
}

describe('a data directory of 0.1.0 goes on', () => {
  test('agent.json: the same data, one start more', async () => {
    const { identity, dataId, foreign } = await open()
    expect({ starts: identity.starts, dataId, foreign }).toEqual({
      ...{ starts: 3, dataId: '6531859b0be003954e3581d7', foreign: false },
    })
    expect((await open()).identity.starts).toBe(4)
  })

  test('checkpoints.log: nothing is shipped twice and nothing lost, and the recorded collector is named', async () => {
    const { records, damaged } = replay(await readFile(join(directory, 'checkpoints.log')))
    expect({ streams: records.size, damaged }).toEqual({ streams: 3, damaged: 0 })
    await moveCheckpoints()
    const [, second] = scene.collectors
    scene.assigner.routes.set('g', { collector: second, epoch: 4 })
    const agent = await scene.start()
    const idle = (): boolean => agent.status()['backlogBytes'] === 0 && agent.status()['checkpointsDurable'] === true
    await scene.until(idle, 'all of it')
    const whole = await readFile(scene.path('app.log'), 'latin1')
    const [stored, ...others] = [...second.streams.values()]
    expect(others).toEqual([])
    expect(stored).toMatchObject({ path: scene.path('app.log'), unconfirmed: [{ from: 2590, to: 4000, at: 'c1' }] })
    expect(records.get(stored?.stream ?? '')).toMatchObject({ checkpoint: 2590, collector: 'c1' })
    expect(contentOf(stored?.stream ?? '', [second], 2590)?.toString('latin1')).toBe(whole.slice(2590))
    expect(agent.counters.all()).toMatchObject({ generations: 0, lost_bytes: 0, damaged_checkpoints: 0 })
    expect(scene.collectors.flatMap(({ duplicateBytes, problems }) => [duplicateBytes, ...problems])).toEqual([0, 0])
  })

  test('assignment.json: groups go where they last did', async () => {
    const { resolver } = await remembered()
    expect(Object.fromEntries(resolver.groups)).toEqual({
      g: { collector: 'c1', url: 'http://127.0.0.1:17501', epoch: 3 },
    })
    expect(resolver.urlOf('c1')).toBe('http://127.0.0.1:17501')
  })

  test('assigners.json: those that were learned are asked', async () => {
    const { assigners } = await remembered()
    expect(assigners.all).toEqual(['http://127.0.0.1:17500', 'http://127.0.0.1:17502'])
  })
})

describe('a data directory of a newer format is refused in words, and nothing in it is changed', () => {
  const newer: [string, string][] = [
    ['agent.json', '{"version":2,"dataId":{"is":"another thing"}}'],
    ['assigners.json', '{"version":2,"learned":{}}'],
    ['assignment.json', '{"version":2,"routes":{}}'],
    ['checkpoints.log', encodeLine({ kind: 'format', version: 2 })],
  ]
  test.each(newer)('%s', async (name, content) => {
    await writeFile(join(directory, name), content)
    const contents = (): Promise<string[]> =>
      Promise.all(files.map((file) => readFile(join(directory, file), 'latin1')))
    const before = await contents()
    await expect(open()).rejects.toMatchObject({ code: 'newer-format', blame: 'operator' })
    await expect(open()).rejects.toThrow(
      `${join(directory, name)} has format 2, and this program reads formats up to 1: start the newer version`,
    )
    expect(await contents()).toEqual(before)
    expect((await readdir(directory)).toSorted()).toEqual(files)
  })
})

test('a checkpoint log that says that its format is 1 is read', () => {
  const line = encodeLine({ kind: 'format', version: 1 })
  expect(replay(Buffer.from(line))).toEqual({ records: new Map(), damaged: 0 })
})
