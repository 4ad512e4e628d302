import { expect, test } from '@jest/globals'
import { barrier } from '../../../src/recipes.ts'
import { bytes, ending, inWorld, Heard, stretchedMs } from '../../world/world.ts'

test.concurrent(
  'barrier: wait returns at once if it is not set, else when it is removed; all who wait go on, with the parents made',
  inWorld(async ({ session: open, root }) => {
    const [one, two, three] = [await open(), await open(), await open()]
    const path = `${root}/parents/made/barrier`
    await barrier(one.session, { path }).wait()
    await barrier(one.session, { path }).set()
    await barrier(two.session, { path }).set()
    const heard = new Heard<string>()
    const waiting = [one, two, three].map(async ({ session }, index) => {
      await barrier(session, { path }).wait()
      heard.hear(`${index} goes`)
    })
    await three.session.sync(root)
    await one.session.sync(root)
    expect(heard.all).toEqual([])
    await barrier(two.session, { path }).remove()
    await Promise.all(waiting)
    expect(heard.all).toHaveLength(3)
    await barrier(two.session, { path }).remove()
  }),
)

test.concurrent(
  'barrier: a removal lets go who waited before it, even if it is set again before they look',
  inWorld(async ({ session: open, root }) => {
    const [waiter, setter] = [await open(), await open()]
    const path = `${root}/barrier`
    await barrier(setter.session, { path }).set()
    const exists = waiter.session.exists.bind(waiter.session)
    let looks = 0
    waiter.session.exists = async (...call) => {
      looks += 1
      if (looks === 2) {
        await barrier(setter.session, { path }).set()
        await waiter.session.sync(path)
      }
      return exists(...call)
    }
    const waiting = barrier(waiter.session, { path }).wait({ timeoutMs: stretchedMs(3_000) })
    while (looks < 1) await setter.session.sync(path)
    await waiter.session.sync(path)
    await barrier(setter.session, { path }).remove()
    await waiting
    expect(looks).toBe(2)
  }),
)

test.concurrent(
  'barrier: a wait ends by its deadline, its signal and the end of its session, and with nothing else',
  inWorld(async ({ session: open, root }) => {
    const { session } = await open()
    const path = `${root}/barrier`
    const gate = barrier(session, { path })
    await gate.set()
    expect(await ending(gate.wait({ timeoutMs: 30 }))).toBe('timeout not-done')
    expect(await ending(gate.wait({ signal: AbortSignal.abort() }))).toBe('aborted not-done')
    const stop = new AbortController()
    const waiting = ending(gate.wait({ signal: stop.signal }))
    stop.abort()
    expect(await waiting).toBe('aborted not-done')
    const last = ending(gate.wait())
    await session.close()
    expect(await last).toBe('closed not-done')
    expect(await ending(gate.wait())).toBe('closed not-done')
  }),
)

test.concurrent(
  'barrier: who waits through a lost session goes on when it is removed meanwhile',
  inWorld(async ({ session: open, root }) => {
    const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
    const other = await open()
    const path = `${root}/barrier`
    await other.session.create(path, bytes(''))
    const waiting = barrier(session, { path }).wait()
    await session.sync(path)
    network.weather = 'refusing'
    await reaches('lost')
    await barrier(other.session, { path }).remove()
    network.weather = 'through'
    await waiting
    expect(session.generation).toBe(2)
  }),
)

test.concurrent(
  'barrier: a change that ends by its deadline while it is under way says that it may have been done',
  inWorld(async ({ session: open, root, eventually }) => {
    const { session, network } = await open()
    const other = await open()
    const path = `${root}/barrier`
    const gate = barrier(session, { path })
    await gate.set()
    network.weather = 'mute'
    expect(await ending(gate.remove({ timeoutMs: 30 }))).toBe('timeout unknown')
    await eventually('the removal', async () => (await other.session.exists(path)) === undefined) // before the cut
    network.weather = 'refusing'
    network.weather = 'through'
    await gate.wait()
  }),
)

test.concurrent(
  'barrier: set and remove are repeated when their answer is lost',
  inWorld(async ({ session: open, root }) => {
    const { session, network, reaches } = await open({ sessionTimeoutMs: 1_500 })
    const path = `${root}/barrier`
    const gate = barrier(session, { path })
    const [create, remove] = [session.create.bind(session), session.delete.bind(session)]
    let mute = false
    const send = <T>(call: () => T): T => {
      if (mute) network.weather = 'mute'
      mute = false
      return call()
    }
    session.create = (...call) => send(() => create(...call))
    session.delete = (...call) => send(() => remove(...call))
    for (const change of [() => gate.set(), () => gate.remove()]) {
      mute = true
      const changing = change()
      await reaches('suspended')
      network.weather = 'refusing'
      network.weather = 'through'
      await changing
    }
    expect(await session.exists(path)).toBeUndefined()
  }),
)
