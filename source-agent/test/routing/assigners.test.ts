import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createHttpClient, realClock, realRandom, startHttpServer, type HttpServer } from '@catchment/runtime'
import { collectingLog, eventually, tempDirectory, type TempDirectory } from '@catchment/testing'
import { Assigners, learnedMax } from '../../src/routing/assigners.ts'

const undo: (() => Promise<void>)[] = []
let directory: TempDirectory
const http = createHttpClient({ connectionsPerOrigin: 2, connectTimeoutMs: 1_000 })

beforeEach(async () => {
  directory = await tempDirectory()
})

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
  await directory.remove()
})

afterAll(async () => {
  await http.close()
})

/** An assigner that knows who is there, and how often it was asked. */
interface Entry {
  readonly server: HttpServer
  known: readonly string[]
  stale: boolean
  asked: number
}

async function entry(): Promise<Entry> {
  const one: Omit<Entry, 'server'> = { known: [], stale: false, asked: 0 }
  const server = await startHttpServer({
    ...{ listen: '127.0.0.1:0', insecure: false, log: collectingLog() },
    routes: [
      {
        method: 'GET',
        path: '/v1/entry-points',
        handle: () => {
          one.asked += 1
          return { json: { stale: one.stale, entryPoints: one.known.map((url) => ({ id: 'a', url })) } }
        },
      },
    ],
  })
  undo.push(() => server.close())
  return Object.assign(one, { server })
}

async function assignersOf(seeds: readonly string[]): Promise<Assigners> {
  const assigners = new Assigners({
    ...{ seeds, http, clock: realClock, random: realRandom, log: collectingLog() },
    ...{ directory: directory.path, refreshMs: 20 },
  })
  await assigners.load()
  return assigners
}

/** Asks until the end of the test. */
function run(assigners: Assigners): () => Promise<void> {
  const stop = new AbortController()
  const running = assigners.run(stop.signal).catch((thrown: unknown) => {
    if (!stop.signal.aborted) throw thrown
  })
  const end = async (): Promise<void> => {
    stop.abort(new Error('the test is over'))
    await running
  }
  undo.push(end)
  return end
}

describe('Assigners', () => {
  test('learns who is there, goes on when all of the settings are gone, and knows it after a start', async () => {
    const [first, second] = [await entry(), await entry()]
    first.known = [first.server.url, second.server.url]
    second.known = [second.server.url]
    const assigners = await assignersOf([first.server.url])
    const end = run(assigners)
    await eventually('the second is known', () => assigners.all.includes(second.server.url))
    await first.server.close()
    await eventually('the second is asked', () => second.asked > 0 && assigners.origin === second.server.url)
    await end()
    const again = await assignersOf([first.server.url])
    expect(again.all).toEqual([first.server.url, second.server.url])
    expect(again.origin).toBe(first.server.url)
    again.failed(first.server.url)
    expect(again.origin).toBe(second.server.url)
    expect((await assignersOf(['http://127.0.0.1:1'])).all).toEqual(['http://127.0.0.1:1'])
  })

  test('one that is cut off teaches nothing; the next is asked', async () => {
    const [first, second] = [await entry(), await entry()]
    Object.assign(first, { stale: true, known: ['http://127.0.0.1:1'] })
    second.known = ['http://127.0.0.1:2']
    const assigners = await assignersOf([first.server.url, second.server.url])
    run(assigners)
    await eventually('it has learned', () => assigners.all.includes('http://127.0.0.1:2'))
    expect(assigners.all).toEqual([first.server.url, second.server.url, 'http://127.0.0.1:2'])
  })

  test('keeps so many at most, nothing that is no URL of a server, and starts from a file that is damaged', async () => {
    await writeFile(join(directory.path, 'assigners.json'), '{')
    const first = await entry()
    first.known = ['ftp://127.0.0.1:1']
    const assigners = await assignersOf([first.server.url])
    run(assigners)
    await eventually('it was asked', () => first.asked > 1)
    expect(assigners.all).toEqual([first.server.url])
    first.known = Array.from({ length: learnedMax + 5 }, (_, index) => `http://127.0.0.1:${index + 1}`)
    await eventually('it has learned', () => assigners.all.length > 1)
    expect(assigners.all).toHaveLength(1 + learnedMax)
    const saved = join(directory.path, 'assigners.json')
    await eventually('it is kept', async () => (await readFile(saved, 'utf8')).includes('http://127.0.0.1:9"'))
  })

  test('failed goes round, and only from the assigner that is asked', async () => {
    const assigners = await assignersOf(['http://a', 'http://b'])
    assigners.failed('http://b')
    expect(assigners.origin).toBe('http://a')
    assigners.failed('http://a')
    expect(assigners.origin).toBe('http://b')
    assigners.failed('http://b')
    expect(assigners.origin).toBe('http://a')
  })
})
