// What servers are shown of who we are, and when, reported by a server that follows a script.

import { expect, test } from '@jest/globals'
import type { Credentials, SessionState } from '../../src/session/contract/session.ts'
import { opcode } from '@catchment/zookeeper-wire'
import { scripted, type Asked } from '../world/scripted-server.ts'
import { bytes, ending, Heard } from '../world/world.ts'

test(
  'on a new connection credentials go first, then watches, then what waited: once each, however many connects failed',
  scripted(async ({ server, open }) => {
    server.onRequest = ({ type, answer }) => {
      answer(type === opcode.exists ? -101 : 0)
    }
    const session = await open({ auth: [{ scheme: 'digest', proof: 'a:b' }] })
    await session.addAuth({ scheme: 'digest', proof: 'c:d' })
    await session.exists('/x', { watch: () => undefined })
    await session.addWatch('/x', () => undefined)
    let refusals = 3
    server.onHandshake = (grant) => {
      if (refusals > 0) server.hangUp()
      else grant(5_000)
      refusals -= 1
    }
    const heard = new Heard<SessionState>()
    session.onState(heard.hear)
    server.hangUp()
    await heard.first((state) => state === 'suspended')
    await session.sync('/waited')
    expect(refusals).toBe(-1)
    expect(server.connections.filter((asked) => asked.length > 0)).toEqual([
      [opcode.auth, opcode.sync, opcode.auth, opcode.exists, opcode.addWatch],
      [opcode.auth, opcode.auth, opcode.setWatches2, opcode.sync],
    ])
  }),
)

test(
  'credentials that are refused at once reject openSession; refused later they end the session, typed',
  scripted(async ({ server, open }) => {
    const refuse = ({ type, answer, hangUp }: Asked): void => {
      answer(type === opcode.auth ? -115 : 0)
      if (type === opcode.auth) hangUp()
    }
    server.onRequest = refuse
    const auth = [{ scheme: 'digest', proof: 'a:b' }]
    await expect(open({ auth })).rejects.toMatchObject({ code: 'auth-failed', blame: 'operator' })
    server.onRequest = ({ answer }) => {
      answer(0)
    }
    const session = await open({ auth })
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    server.onRequest = refuse
    server.hangUp()
    await states.first((state) => state === 'suspended')
    const waiting = ending(session.set('/a', bytes(''), 'any'))
    await states.first((state) => state === 'closed')
    expect(await waiting).toMatch(/^(auth-failed not-done|connection-lost unknown)$/)
    expect(await ending(session.get('/a'))).toBe('auth-failed not-done')
    await session.close()
    expect(states.all.filter((state) => state === 'closed')).toHaveLength(1)
  }),
)

test(
  'openSession: a session that is lost before its credentials are accepted is followed by another, within its time',
  scripted(async ({ server, open }) => {
    let handshakes = 0
    server.onHandshake = (grant) => {
      handshakes += 1
      grant(handshakes === 2 ? 0 : 5_000)
    }
    server.onRequest = ({ type, answer, hangUp }) => {
      if (handshakes === 1 && type === opcode.sync) hangUp()
      else answer(0)
    }
    const session = await open({ auth: [{ scheme: 'digest', proof: 'a:b' }] })
    expect([session.state, session.generation, handshakes]).toEqual(['connected', 2, 3])
  }),
)

test(
  'addAuth: of unknown outcome when it was sent and ended early; the same credentials are sent and kept once',
  scripted(async ({ server, open }) => {
    const ann = { scheme: 'digest', proof: bytes('ann:x') }
    const bob = { scheme: 'digest', proof: bytes('bob:y') }
    const session = await open({ auth: [ann, { scheme: 'digest', proof: 'ann:x' }] })
    const held: Asked[] = []
    server.onRequest = (asked) => held.push(asked)
    expect(await ending(session.addAuth(bob, { timeoutMs: 20 }))).toBe('timeout unknown')
    server.onRequest = ({ answer }) => {
      answer(0)
    }
    for (const asked of held) asked.answer(0)
    await session.sync('/')
    await session.addAuth({ scheme: 'digest', proof: 'bob:y' })
    await session.addAuth(ann)
    expect(await ending(session.addAuth(ann, { timeoutMs: 0 }))).toBe('timeout not-done')
    const states = new Heard<SessionState>()
    session.onState(states.hear)
    server.hangUp()
    await states.first((state) => state === 'suspended')
    await session.addAuth(ann)
    await session.sync('/')
    expect(server.connections).toEqual([
      [opcode.auth, opcode.sync, opcode.auth, opcode.sync],
      [opcode.auth, opcode.auth, opcode.sync],
    ])
  }),
)

test(
  'credentials of a wrong shape: the error says of which type they are, and shows nothing of them',
  scripted(async ({ open }) => {
    const session = await open()
    const secret = JSON.parse('"user:SECRET"') as Credentials
    const auth = JSON.parse('"user:SECRET"') as Credentials[]
    const wrong = [open({ auth }), open({ auth: [secret] }), session.addAuth(secret)]
    const messages = await Promise.all(wrong.map((call) => call.then(String, String)))
    for (const message of messages) expect(message).toMatch(/not a value of type string; correct it$/)
    expect(messages.join()).not.toContain('SECRET')
  }),
)
