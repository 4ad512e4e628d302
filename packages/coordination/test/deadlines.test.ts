import { expect, test } from '@jest/globals'
import { realClock, sleep } from '@catchment/runtime'
import {
  announceService,
  configuration,
  fifoQueue,
  listServices,
  resolveService,
  sequentialIds,
  sharedCounter,
} from '../src/index.ts'
import { bytes, ending, inWorld } from './world.ts'

/** Each request takes this long, so that a second one begins in time and a third does not. */
const slowMs = 200
const timeoutMs = 1.5 * slowMs

test(
  'what takes several requests has one deadline for all of them',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const counter = sharedCounter(session, { path: `${root}/counter` })
    const config = configuration(session, { path: `${root}/config`, parse: String, id: 'a' })
    const queue = fifoQueue(session, { path: `${root}/queue`, itemsMax: 9 })
    const services = { path: `${root}/services`, name: 'search' }
    await counter.add(1n)
    await config.publish('blue')
    await queue.put(bytes('a'))
    await announceService(session, { ...services, id: 'a', endpoint: bytes('a:80') })
    for (const name of ['get', 'exists', 'children', 'set', 'create', 'multi', 'sync'] as const) {
      const call = Reflect.get(session, name).bind(session) as (...given: unknown[]) => Promise<unknown>
      Reflect.set(session, name, async (...given: unknown[]) => {
        await sleep(realClock, slowMs)
        return call(...given)
      })
    }
    const calls = {
      add: counter.add(1n, { timeoutMs }),
      get: counter.get({ timeoutMs }),
      current: config.current({ timeoutMs }),
      history: config.history({ timeoutMs }),
      publish: config.publish('green', { timeoutMs }),
      rollBack: config.rollBack(1, { timeoutMs }),
      put: queue.put(bytes('b'), { timeoutMs }),
      peek: queue.peek({ timeoutMs }),
      items: queue.items({ max: 1, timeoutMs }),
      resolve: resolveService(session, services, { timeoutMs }),
      list: listServices(session, services, { timeoutMs }),
      next: sequentialIds(session, { path: `${root}/ids`, prefix: 'id-' }).next({ timeoutMs }),
      ensurePath: session.ensurePath(`${root}/a/b/c`, { timeoutMs }),
      deleteTree: session.deleteTree(`${root}/services`, { timeoutMs }),
    }
    const ends = await Promise.all(Object.entries(calls).map(async ([name, call]) => [name, await ending(call)]))
    expect(ends).toEqual(Object.keys(calls).map((name) => [name, 'timeout not-done']))
  }),
)
