import { ZooKeeperError, type ZooKeeperSession } from '../../src/index.ts'

/** As a session to servers before 3.6. */
export function withoutAddWatch(session: ZooKeeperSession): ZooKeeperSession {
  return new Proxy(session, {
    get: (target, key): unknown => {
      if (key === 'addWatch')
        return () => Promise.reject(new ZooKeeperError('unimplemented', 'addWatch: unimplemented'))
      const member: unknown = Reflect.get(target, key, target)
      return typeof member === 'function' ? (member.bind(target) as unknown) : member
    },
  })
}
