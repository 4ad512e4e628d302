import { expect, test } from '@jest/globals'
import { sleep } from '@catchment/runtime'
import { announceService, configuration, fifoQueue, listServices, resolveService } from '../../src/index.ts'
import { barrier, sequentialIds, sharedCounter } from '../../src/recipes.ts'
import { within } from '../../src/attempts/within.ts'
import { bytes, ending, inWorld, stretchedMs } from '../world/world.ts'

/** Each request takes this long, so that a second one begins in time and a third does not. */
const slowMs = stretchedMs(200)
const timeoutMs = 1.5 * slowMs

test.concurrent(
  'what takes several requests has one deadline for all of them',
  inWorld(async ({ session: open, root, clock }) => {
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
        await sleep(clock, slowMs)
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

test.concurrent(
  'a deadline is reported in whole milliseconds; one that is over already asks no timer for a negative time',
  inWorld(async ({ session: open, root }) => {
    const delays: number[] = []
    const { session } = await open()
    const { clock } = session
    const after = clock.after.bind(clock)
    Reflect.set(session, 'clock', {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      after: (delayMs: number, fire: () => void) => {
        delays.push(delayMs)
        return after(delayMs, fire)
      },
    })
    const gate = barrier(session, { path: `${root}/barrier` })
    await gate.set()
    const message = (text: string): unknown => expect.objectContaining({ code: 'timeout', message: text })
    const never = new Promise<never>(() => undefined)
    const calls: [string, (timeoutMs: number) => Promise<unknown>][] = [
      [`wait at barrier ${root}/barrier: not within`, (timeoutMs) => gate.wait({ timeoutMs })],
      ['wait: not within', (timeoutMs) => within(session, never, { name: 'wait', outcome: 'not-done' }, { timeoutMs })],
    ]
    for (const [text, call] of calls) {
      await expect(call(1.7)).rejects.toEqual(message(`${text} 2 ms`))
      await expect(call(-1)).rejects.toEqual(message(`${text} -1 ms`))
    }
    await expect(session.get(root, { timeoutMs: -0.7 })).rejects.toEqual(
      message(`get ${root}: its time is over: -1 ms`),
    )
    expect([delays.length > 3, Math.min(...delays)]).toEqual([true, 0])
  }),
)
