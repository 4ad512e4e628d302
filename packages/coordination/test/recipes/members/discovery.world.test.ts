import { describe, expect, test } from '@jest/globals'
import { announceService, followService, listServices, resolveService, type Endpoint } from '../../../src/index.ts'
import { bytes, ending, inWorld, text, Heard, type Client } from '../../world/world.ts'

const show = (endpoints: readonly Endpoint[]): string =>
  endpoints.map(({ id, data }) => `${id}=${data.toString()}`).join(' ')

describe('service discovery', () => {
  const announce = ({ session }: Client, root: string, id: string): ReturnType<typeof announceService> =>
    announceService(session, { path: `${root}/services`, name: 'search', id, endpoint: bytes(`${id}:80`) })

  test.concurrent(
    'instances come, change and go; names are listed; what no one announces has no endpoints',
    inWorld(async ({ session: open, root }) => {
      const [user, one, two] = [await open(), await open(), await open()]
      const where = { path: `${root}/services`, name: 'search' }
      const heard = new Heard<string>()
      const followed = followService(user.session, {
        ...where,
        onEndpoints: (endpoints) => {
          heard.hear(show(endpoints))
        },
      })
      await heard.first((line) => line === '')
      expect(await resolveService(user.session, where)).toEqual([])
      expect(await listServices(user.session, where)).toEqual([])
      const a = await announce(one, root, 'a')
      await announce(two, root, 'b')
      await heard.first((line) => line === 'a=a:80 b=b:80')
      expect(show(await resolveService(user.session, where))).toBe('a=a:80 b=b:80')
      expect(await listServices(user.session, where)).toEqual(['search'])
      await a.update(bytes('a:81'))
      await heard.first((line) => line === 'a=a:81 b=b:80')
      await two.session.close()
      await heard.first((line) => line === 'a=a:81')
      await a.withdraw()
      expect(show(await followed.refresh())).toBe('')
      expect(followed.endpoints).toEqual([])
      await followed.close()
    }),
  )

  test.concurrent(
    'a user that is cut off keeps its servers; an instance that lost its session announces itself again',
    inWorld(async ({ session: open, root }) => {
      const [user, server] = [await open({ sessionTimeoutMs: 1_500 }), await open({ sessionTimeoutMs: 1_500 })]
      const a = await announce(server, root, 'a')
      const heard = new Heard<string>()
      const followed = followService(user.session, {
        path: `${root}/services`,
        name: 'search',
        onEndpoints: (endpoints) => {
          heard.hear(show(endpoints))
        },
        onStale: (stale) => {
          heard.hear(stale ? 'stale' : 'fresh')
        },
      })
      await heard.first((line) => line === 'fresh')
      user.network.weather = 'refusing'
      server.network.weather = 'refusing'
      await Promise.all([user.reaches('lost'), server.reaches('lost')])
      expect([show(followed.endpoints ?? []), followed.stale, a.held]).toEqual(['a=a:80', true, false])
      server.network.weather = 'through'
      await a.update(bytes('a:81'))
      user.network.weather = 'through'
      await heard.first((line) => line === 'a=a:81')
      expect(heard.all.slice(0, 3)).toEqual(['a=a:80', 'fresh', 'stale'])
      await followed.close()
    }),
  )

  test.concurrent(
    'an id that another holds is refused, or replaced where asked to',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      await announce(one, root, 'a')
      expect(await ending(announce(two, root, 'a'))).toBe('refused not-done')
      const newer = await announceService(two.session, {
        path: `${root}/services`,
        name: 'search',
        id: 'a',
        endpoint: bytes('newer'),
        replaces: (existing) => existing.toString() !== 'newer',
      })
      expect(newer.held).toBe(true)
    }),
  )

  test.concurrent(
    'options that are an instance of a class: replaces is a method of it',
    inWorld(async ({ session: open, root }) => {
      const [one, two] = [await open(), await open()]
      await announce(one, root, 'a')
      class Options {
        readonly path = `${root}/services`
        readonly name = 'search'
        readonly id = 'a'
        readonly endpoint = bytes('a:81')
        readonly older = 'a:80'
        replaces(existing: Uint8Array): boolean {
          return text(existing) === this.older
        }
      }
      expect((await announceService(two.session, new Options())).held).toBe(true)
    }),
  )
})
