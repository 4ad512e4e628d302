import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { tempDirectory } from '@catchment/testing'
import fc from 'fast-check'
import { emptyEventBuffer, takeEvents, type ServerSentEvent } from '../src/decide/event-lines.ts'
import { fileToMake, lookAt } from '../src/up/followed.ts'
import { layoutOf, membersOf, wordsOf, type LaunchPlan } from '../src/up/launch.ts'
import { ProgramLog } from '../src/up/log-file.ts'

describe('ProgramLog', () => {
  test('keeps at most two files of its limit, the newest bytes in the first', async () => {
    await using room = await tempDirectory()
    const log = new ProgramLog(join(room.path, 'c1.log'), 100)
    for (let line = 0; line < 50; line += 1) log.write(Buffer.from(`line ${line}\n`))
    log.close()
    const now = await readFile(log.path, 'utf8')
    const before = await readFile(`${log.path}.1`, 'utf8')
    expect(now.length).toBeLessThanOrEqual(100)
    expect(before.length).toBeLessThanOrEqual(100)
    expect((before + now).endsWith('line 47\nline 48\nline 49\n')).toBe(true)
    expect((await stat(log.path)).mode & 0o777).toBe(0o600)
  })

  test('appends to what an earlier run wrote', async () => {
    await using room = await tempDirectory()
    const path = join(room.path, 'c1.log')
    for (const text of ['one\n', 'two\n']) {
      const log = new ProgramLog(path)
      log.write(Buffer.from(text))
      log.close()
    }
    expect(await readFile(path, 'utf8')).toBe('one\ntwo\n')
  })

  test('counts what it cannot write, and throws nothing', async () => {
    await using room = await tempDirectory()
    const log = new ProgramLog(join(room.path, 'missing', 'c1.log'))
    log.write(Buffer.from('lost\n'))
    expect(log.droppedBytes).toBe(5)
    expect(log.failure?.message).toContain('ENOENT')
  })
})

describe('lookAt', () => {
  test('finds what the globs find outside the data directory, and says which find nothing', async () => {
    await using room = await tempDirectory()
    const data = join(room.path, 'logs', 'data')
    await mkdir(data, { recursive: true })
    for (const name of ['logs/a.log', 'logs/b.txt', 'logs/data/own.log']) await writeFile(join(room.path, name), '')
    const followed = await lookAt([join(room.path, '**/*.log'), join(room.path, '*.out')], data)
    expect(followed).toEqual({
      files: 1,
      more: false,
      unreadable: [],
      unmatched: [join(room.path, '*.out')],
      writable: join(room.path, 'logs/a.log'),
      any: join(room.path, 'logs/a.log'),
    })
  })

  test('fileToMake: a new file that a plain glob would follow, where one may be made', async () => {
    await using room = await tempDirectory()
    const made = fileToMake([join(room.path, 'none', '*.log'), join(room.path, '**/*.log')], '/nowhere')
    expect(await made).toBe(join(room.path, 'hello.log'))
    expect(await fileToMake([join(room.path, '*.log')], room.path)).toBeUndefined()
    expect(await fileToMake([join(room.path, '*', '{a,b}.log')], '/nowhere')).toBeUndefined()
    await chmod(room.path, 0o700)
  })
})

describe('launch', () => {
  const members = membersOf({ assigners: 2, collectors: 1 }, 'c1')
  const plan: LaunchPlan = {
    layout: layoutOf('/d'),
    globs: ['/x'],
    listen: '127.0.0.1:7070',
    members,
    diskBytesMax: 10,
  }

  test('membersOf: the agent bears the name of the host, as an id that is not taken', () => {
    expect(members.map(({ id }) => id)).toEqual(['zookeeper', 'a1', 'a2', 'c1', 'host-c1'])
    expect(membersOf({ assigners: 1, collectors: 1 }, '-my host!').at(-1)?.id).toBe('my-host')
    expect(membersOf({ assigners: 1, collectors: 1 }, '').at(-1)?.id).toBe('localhost')
  })

  test('wordsOf: a restart takes its previous address; the agent gets all assigners', () => {
    const addresses = new Map([
      ['zookeeper', { url: undefined, port: 2181 }],
      ['a1', { url: 'http://127.0.0.1:7070', port: undefined }],
      ['a2', { url: 'http://127.0.0.1:5000', port: undefined }],
    ])
    const words = (id: string): string =>
      wordsOf(members.find((member) => member.id === id) ?? { id: '', role: 'agent' }, plan, addresses).join(' ')
    expect(words('zookeeper')).toContain('--port 2181')
    expect(words('a2')).toContain('--zookeeper 127.0.0.1:2181 --root /logs --id a2 --session-timeout 4000')
    expect(words('a2')).toContain('--listen 127.0.0.1:5000')
    expect(words('host-c1')).toContain('--assigner http://127.0.0.1:7070,http://127.0.0.1:5000')
    for (const { id } of members) expect(words(id)).toMatch(/--json --exit-with-stdin$/)
  })
})

test('takeEvents: the same events however the bytes are cut', () => {
  const text =
    ': open\n\nevent: tree\ndata: {"a":1}\n\nevent: other\r\ndata: x\r\ndata: y\r\n\r\n: beat\n\ndata: last\n\n'
  const expected: ServerSentEvent[] = [
    { event: 'tree', data: '{"a":1}' },
    { event: 'other', data: 'x\ny' },
    { event: 'message', data: 'last' },
  ]
  fc.assert(
    fc.property(fc.array(fc.nat(text.length)), (cuts) => {
      const borders = [0, ...cuts.toSorted((a, b) => a - b), text.length]
      let buffer = emptyEventBuffer
      const events: ServerSentEvent[] = []
      for (let at = 1; at < borders.length; at += 1) {
        const taken = takeEvents(buffer, text.slice(borders[at - 1], borders[at]))
        buffer = taken.buffer
        events.push(...taken.events)
      }
      expect(events).toEqual(expected)
    }),
  )
})
