import { describe, expect, test } from '@jest/globals'
import { configuration, type ConfigurationOptions } from '../../../src/index.ts'
import { bytes, ending, inWorld, text, Heard } from '../../world/world.ts'

interface Limits {
  readonly max: number
}

function parseLimits(json: unknown): Limits {
  if (typeof json === 'object' && json !== null && 'max' in json && typeof json.max === 'number')
    return { max: json.max }
  throw new Error('max is a number')
}

const options = (root: string, id = 'a'): ConfigurationOptions<Limits> => ({
  path: `${root}/limits`,
  parse: parseLimits,
  id,
  historyMax: 3,
})

describe('configuration', () => {
  test.concurrent(
    'publishes, follows, keeps a history and rolls back; versions have no gaps',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const mine = configuration(one.session, options(root))
      const theirs = configuration(two.session, options(root, 'b'))
      const heard = new Heard<string>()
      const followed = theirs.follow({
        onValue: (value, version) => {
          heard.hear(`${version}: ${value?.max ?? 'none'}`)
        },
      })
      await heard.first((line) => line === '0: none')
      expect(await mine.get()).toBeUndefined()
      expect(await mine.publish({ max: 1 })).toBe(1)
      expect(await theirs.publish({ max: 2 }, { expectedVersion: 1 })).toBe(2)
      expect(await mine.publish({ max: 3 })).toBe(3)
      expect(await theirs.get()).toEqual({ value: { max: 3 }, version: 3 })
      expect(await mine.rollBack(1)).toBe(4)
      await heard.first((line) => line === '4: 1')
      expect(followed.current).toEqual({ value: { max: 1 }, version: 4 })
      expect(heard.all).toEqual([...heard.all].sort())
      const history = await theirs.history()
      expect(history.map(({ version, by }) => [version, by])).toEqual([
        [4, 'a'],
        [3, 'a'],
        [2, 'b'],
      ])
      expect(history.map((published) => published.json())).toEqual([{ max: 1 }, { max: 3 }, { max: 2 }])
      expect(await ending(mine.rollBack(1))).toBe('no-node not-done')
      await followed.close()
    }),
  )

  test.concurrent(
    'at another version than expected: bad-version, which carries the current one; at once by many: one wins',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const config = configuration(session, options(root))
      const ends = await Promise.all([1, 2, 3].map((max) => ending(config.publish({ max }, { expectedVersion: 0 }))))
      expect(ends.sort()).toEqual(['bad-version not-done', 'bad-version not-done', 'done'])
      await expect(config.publish({ max: 9 }, { expectedVersion: 0 })).rejects.toMatchObject({
        code: 'bad-version',
        currentVersion: 1,
      })
      const versions = await Promise.all([1, 2, 3, 4].map((max) => config.publish({ max })))
      expect(versions.sort()).toEqual([2, 3, 4, 5])
    }),
  )

  test.concurrent(
    'what does not parse: refused by the publisher; published by another, reported, and the last good value stands',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const config = configuration(session, options(root))
      await config.publish({ max: 1 })
      expect(await ending(config.publish({ min: 1 }))).toBe('bad-arguments not-done')
      expect(await ending(config.publish(undefined))).toBe('bad-arguments not-done')
      const heard = new Heard<string>()
      const followed = config.follow({
        onValue: (value, version) => {
          heard.hear(`${version}: ${value?.max ?? 'none'}`)
        },
        onInvalid: (error, version) => {
          heard.hear(`${version}: ${error.message}`)
        },
      })
      await heard.first((line) => line === '1: 1')
      const newer = configuration(session, { ...options(root), parse: (json) => json })
      await newer.publish({ min: 2 })
      await heard.first((line) => line === '2: max is a number')
      expect(followed.current).toEqual({ value: { max: 1 }, version: 1 })
      await config.publish({ max: 3 })
      await heard.first((line) => line === '3: 3')
      await followed.close()
      await expect(newer.publish('x'.repeat(599_998))).rejects.toMatchObject({
        ...{ code: 'too-large', outcome: 'not-done' },
        message: `publish ${root}/limits: a value has at most about 500 kB as JSON, this one 600 kB; publish a reference to it`,
      })
      await expect(config.rollBack(2)).rejects.toMatchObject({
        code: 'bad-arguments',
        message: `roll back ${root}/limits to version 2: the value does not parse: max is a number`,
      })
    }),
  )

  test.concurrent(
    'an answer that is lost: published once; a cut follower keeps its value and finds the change',
    inWorld(async ({ session: open, root }) => {
      const [client, other] = [await open({ sessionTimeoutMs: 1_500 }), await open()]
      const config = configuration(client.session, options(root))
      await config.publish({ max: 1 })
      const heard = new Heard<string>()
      const followed = config.follow({
        onValue: (value, version) => {
          heard.hear(`${version}: ${value?.max ?? 'none'}`)
        },
      })
      await heard.first((line) => line === '1: 1')
      const multi = client.session.multi.bind(client.session)
      client.session.multi = (...args) => {
        client.network.weather = 'mute'
        client.session.multi = multi
        return multi(...args)
      }
      const published = config.publish({ max: 2 })
      await client.reaches('suspended')
      client.network.weather = 'refusing'
      expect(followed.stale).toBe(true)
      const theirs = configuration(other.session, options(root, 'b'))
      expect(await theirs.publish({ max: 3 })).toBe(3)
      await client.reaches('lost')
      expect(followed.current?.version).toBe(1)
      client.network.weather = 'through'
      expect(await published).toBe(2)
      await heard.first((line) => line === '3: 3')
      expect((await config.history()).map(({ by }) => by)).toEqual(['b', 'a', 'a'])
      await followed.close()
    }),
  )

  test.concurrent(
    'the node itself shows the value; JSON written into it by hand counts as the next version, also before the first',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const config = configuration(one.session, options(root))
      const path = `${root}/limits`
      const shown = async (): Promise<string | undefined> => text((await two.session.get(path)).data)
      await two.session.create(path, bytes('{"max":1}'))
      expect(await config.get()).toEqual({ value: { max: 1 }, version: 0 })
      const heard = new Heard<string>()
      const followed = config.follow({
        onValue: (value, version) => {
          heard.hear(`${version}: ${value?.max ?? 'none'}`)
        },
        onInvalid: (_, version) => {
          heard.hear(`${version}: invalid`)
        },
      })
      await heard.first((line) => line === '0: 1')
      await config.publish({ max: 2 }, { expectedVersion: 0 })
      await heard.first((line) => line === '1: 2')
      expect(await shown()).toBe('{"max":2}')
      await two.session.set(path, bytes('{"max":3}'), 'any')
      await heard.first((line) => line === '2: 3')
      await two.session.set(path, bytes('{'), 'any')
      await heard.first((line) => line === '3: invalid')
      expect(followed.current).toEqual({ value: { max: 3 }, version: 2 })
      expect(await config.current()).toMatchObject({ version: 3, by: '' })
      expect(await config.publish({ max: 4 })).toBe(4)
      expect((await config.history()).map(({ version }) => version)).toEqual([4])
      await followed.close()
    }),
  )

  test.concurrent(
    'get does not miss what another has published; a node that somebody wrote by hand does not parse',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      const config = configuration(one.session, options(root))
      await configuration(two.session, options(root, 'b')).publish({ max: 7 })
      expect(await config.get()).toEqual({ value: { max: 7 }, version: 1 })
      await two.session.set(`${root}/limits/versions/0000000001`, bytes('hello'), 'any')
      await expect(config.get()).rejects.toMatchObject({
        code: 'refused',
        message: expect.stringMatching(
          /^read configuration \/\S+: version 1 does not parse: .*; publish another, or rollBack/s,
        ),
        cause: expect.any(SyntaxError),
      })
      await expect(config.rollBack(1)).rejects.toThrow(
        `roll back ${root}/limits to version 1: version 1 does not parse`,
      )
    }),
  )

  test.concurrent(
    'an async parse is refused wherever it is called, and its rejection goes no further; so is what JSON cannot hold',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      const path = `${root}/limits`
      const config = configuration(session, { ...options(root), parse: () => Promise.reject(new Error('async')) })
      const refusal = (attempt: string): unknown =>
        expect.objectContaining({
          code: 'bad-arguments',
          message: `${attempt} ${path}: parse returned a Promise; it returns the value or throws`,
        })
      await expect(config.publish(1)).rejects.toEqual(refusal('publish'))
      expect(await config.get()).toBeUndefined()
      const plain = configuration(session, { ...options(root), parse: String })
      await plain.publish(1)
      await expect(config.get()).rejects.toEqual(refusal('read configuration'))
      const heard = new Heard<Error>()
      const followed = config.follow({ onValue: () => undefined, onInvalid: heard.hear.bind(heard) })
      expect(await heard.first(() => true)).toEqual(refusal('follow configuration'))
      await followed.close()
      const circular: Record<string, unknown> = {}
      circular.self = circular
      for (const [value, why] of [
        [undefined, 'JSON.stringify() gives undefined'],
        [{ a: 1n }, 'Do not know how to serialize a BigInt'],
        [circular, 'Converting circular structure to JSON'],
      ] as const)
        await expect(plain.publish(value)).rejects.toMatchObject({
          code: 'bad-arguments',
          message: expect.stringContaining(`publish ${path}: the value is nothing that JSON can hold: ${why}`),
        })
    }),
  )

  test.concurrent(
    'an id with a line break is refused: no version that it published could be read',
    inWorld(async ({ session: open, root }) => {
      const { session } = await open()
      expect(() => configuration(session, options(root, 'host\nline'))).toThrow(
        'id is text without line breaks, not "host\\nline"',
      )
    }),
  )
})
