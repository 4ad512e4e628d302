import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import {
  FakeClock,
  eventually,
  startProcess,
  tempDirectory,
  type ChildProcess,
  type TempDirectory,
} from '@catchment/testing'
import { realClock } from '@catchment/runtime'
import type { Role } from '../src/decide/supervision.ts'
import { layoutOf, membersOf, type LaunchPlan } from '../src/up/launch.ts'
import { Supervisor, type Announcer, type Running } from '../src/up/supervisor.ts'
import { fakePrograms } from './fakes/programs.ts'
import { readyLines } from './ready-lines.ts'

const catchment = new URL('./fakes/catchment.ts', import.meta.url).pathname
const find = (role: Role): string => fakePrograms[role]

const isUp = (line: string): boolean => line.includes('"program":"catchment"')

/** A place for one `up`: its data, what it follows, and what its small programs note. */
class Room implements AsyncDisposable {
  readonly path: string
  readonly data: string
  readonly #remove: () => Promise<void>
  readonly #started: ChildProcess[] = []

  constructor(directory: TempDirectory) {
    this.path = directory.path
    this.data = join(directory.path, 'data')
    this.#remove = () => directory.remove()
  }

  static async make(): Promise<Room> {
    const room = new Room(await tempDirectory())
    await mkdir(join(room.path, 'followed'))
    return room
  }

  up(words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const follow = ['--follow', join(this.path, 'followed', '*.log')]
    const child = startProcess(process.execPath, [catchment, 'up', '--data', this.data, ...follow, ...words], {
      environment: { HOME: this.path, FAKE_RECORD: join(this.path, 'record'), ...environment },
    })
    this.#started.push(child)
    return child
  }

  note(name: string): string {
    return readFileSync(join(this.path, 'record', name), 'utf8')
  }

  /** Every start of a program: `pid`, and the words it was given. */
  starts(id: string): readonly Start[] {
    if (!existsSync(join(this.path, 'record', `${id}.jsonl`))) return []
    const lines = this.note(`${id}.jsonl`).trim().split('\n')
    return lines.map((line): Start => JSON.parse(line) as Start)
  }

  alive(): number[] {
    return ['zookeeper', 'a1', 'a2', 'c1', 'c2', agent.id]
      .flatMap((id) => this.starts(id).map(({ pid }) => pid))
      .filter((pid) => isAlive(pid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) await child.kill()
    await eventually('every program of the test to end', () => this.alive().length === 0)
    await this.#remove()
  }
}

interface Start {
  readonly pid: number
  readonly words: readonly string[]
}

const agent = membersOf({ assigners: 1, collectors: 1 }, hostname()).find(({ role }) => role === 'agent') ?? { id: '' }

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('catchment up --json', () => {
  let room: Room
  let blocker: Blocker
  let child: ChildProcess

  beforeAll(async () => {
    room = await Room.make()
    blocker = await listening()
    child = room.up(['--json', '--assigners', '2', '--disk-max', '1GiB'], {
      FAKE_PREFERRED_PORT: String(blocker.port),
    })
    await child.line(isUp)
  })

  afterAll(async () => {
    await room[Symbol.asyncDispose]()
    await blocker[Symbol.asyncDispose]()
  })

  test('prints a line per program and at last its own, and writes the file that the verbs read', () => {
    const lines = readyLines(child.output.stdout)
    const ids = ['a1', 'a2', 'c1', 'c2', agent.id, 'zookeeper']
    expect(lines.slice(0, -1).map(({ id }) => id)).toHaveLength(ids.length)
    expect(new Set(lines.slice(0, -1).map(({ id }) => id))).toEqual(new Set(ids))
    const url = lines.find(({ id }) => id === 'a1')?.url
    const out = join(room.data, 'out')
    expect(lines.at(-1)).toEqual({ program: 'catchment', ready: true, data: room.data, out, url })
    const path = join(room.path, '.local', 'state', 'catchment', 'last-up.json')
    const lastUp: unknown = JSON.parse(readFileSync(path, 'utf8'))
    expect(lastUp).toEqual({ pid: child.pid, data: room.data, out, assigners: [url, expect.any(String)] })
  })

  test('takes a free port where the usual one is in use, and says so', () => {
    expect(child.output.stderr).toContain(`port ${blocker.port} is in use`)
    const url = readyLines(child.output.stdout).find(({ id }) => id === 'a1')?.url
    expect(url).not.toContain(`:${blocker.port}`)
  })

  test('exits 1 where an explicit port is in use', async () => {
    await using other = await Room.make()
    const explicit = other.up(['--json', '--port', String(blocker.port)])
    expect((await explicit.ended).code).toBe(1)
    expect(explicit.output.stderr).toMatch(new RegExp(`127.0.0.1:${blocker.port}.*in use`))
    expect(explicit.output.stdout).toBe('')
  })

  test('exits 1 on data that another up uses, and names its process', async () => {
    const second = room.up(['--json'])
    expect((await second.ended).code).toBe(1)
    expect(second.output.stderr).toContain(`in use by catchment up (pid ${child.pid})`)
  })

  test('keeps what the programs say in logs/<id>.log', () => {
    expect(readFileSync(join(room.data, 'logs', 'c1.log'), 'utf8')).toContain('c1 listens')
  })

  test('shares one mirror, divides --disk-max, and never follows the data directory', () => {
    const collector = room.starts('c1')[0]?.words.join(' ')
    expect(collector).toContain(`--mirror ${join(room.data, 'out')} --disk-max ${2 ** 29} `)
    expect(collector).toContain('--session-timeout 4000')
    const words = room.starts(agent.id)[0]?.words.join(' ')
    expect(words).toContain(`--exclude ${room.data} --follow ${join(room.path, 'followed', '*.log')}`)
    expect(words).toContain('--group {file}')
  })
})

describe('the end of catchment up', () => {
  test('at SIGINT goes in order, kills who stays, takes under 8 s, exits 0, and the next up continues', async () => {
    await using room = await Room.make()
    const first = room.up(['--json'], { FAKE_STUBBORN: 'agent' })
    await first.line(isUp)
    const beganAt = realClock.monotonicMs()
    first.signal('SIGINT')
    expect(await first.ended).toEqual({ code: 0, signal: null })
    expect(realClock.monotonicMs() - beganAt).toBeLessThan(8_000)
    expect(first.output.stderr).toContain('did not end in time')
    expect(room.note('ends.txt')).toMatch(/^a1\n(c1\nc2|c2\nc1)\nzookeeper\n$/)
    await room.up(['--json']).line(isUp)
  })

  test('by SIGKILL leaves no program behind', async () => {
    await using room = await Room.make()
    const child = room.up(['--json'])
    await child.line(isUp)
    expect(room.alive()).toHaveLength(5)
    await child.kill()
    await eventually('all programs to end', () => room.alive().length === 0)
  })

  test('comes at once where a program dies before it is ready: exit code 1, with its last words', async () => {
    await using room = await Room.make()
    const child = room.up(['--json'], { FAKE_BROKEN: 'c2' })
    expect(await child.ended).toEqual({ code: 1, signal: null })
    expect(child.output.stderr).toMatch(/collector c2 ended before it was ready.*exit code 3.*made of cheese.*c2\.log/)
    expect(child.output.stdout).not.toContain('"catchment"')
    expect(room.alive()).toEqual([])
  })
})

test('catchment up: a glob without a match is a warning; the last lines append a line and show it', async () => {
  await using room = await Room.make()
  const file = join(room.path, 'followed', 'app.log')
  await writeFile(file, 'one\n')
  const child = room.up(['--follow', join(room.path, 'none', '*.log')])
  await child.line((line) => line.includes('until grep'))
  expect(child.output.stdout).toContain(`no file matches ${join(room.path, 'none', '*.log')}`)
  const [append = '', look = ''] = child.output.stdout.trimEnd().split('\n').slice(-2)
  await startProcess('sh', ['-c', append]).ended
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  expect(lines).toHaveLength(2)
  await writeFile(join(room.data, 'out', 'copy'), `${lines[1] ?? ''}\n`) // as a collector would
  await using looking = startProcess('sh', ['-c', look])
  expect(await looking.line((line) => line.includes('copy:hello-'))).toBeTruthy()
})

test('Supervisor: a dead program is started again 10 s later, at the address it had', async () => {
  await using room = await Room.make()
  const clock = new FakeClock()
  const layout = layoutOf(room.data)
  await mkdir(layout.logs, { recursive: true })
  const announced: string[] = []
  const urls: (string | undefined)[] = []
  let all: readonly Running[] = []
  const announce: Announcer = {
    ready: ({ id, url }, restart) => {
      announced.push(`${restart ? 'again' : 'ready'} ${id}`)
      if (id === 'a1') urls.push(url)
    },
    died: ({ id, how, againInMs }) => announced.push(`died ${id} ${how} ${againInMs}`),
    killed: ({ id }) => announced.push(`killed ${id}`),
    up: (running) => {
      all = running
    },
  }
  const members = membersOf({ assigners: 1, collectors: 1 }, 'host')
  const plan: LaunchPlan = { layout, globs: ['/x/*.log'], listen: '127.0.0.1:0', members, diskBytesMax: 1000 }
  const stop = new AbortController()
  const running = new Supervisor({ plan, find, clock, announce }).run(stop.signal)
  await eventually('all to be ready', () => all.length === 4)
  const assigner = all.find(({ role }) => role === 'assigner')
  process.kill(assigner?.pid ?? 0, 'SIGKILL')
  await eventually('the announcement of the death', () => announced.includes('died a1 SIGKILL 10000'))
  await clock.advance(9_999)
  expect(announced.filter((line) => line.startsWith('again'))).toEqual([])
  await clock.advance(1)
  await eventually('the announcement of the restart', () => announced.includes('again a1'))
  expect(announced.filter((line) => line === 'again a1')).toHaveLength(1)
  expect(urls).toHaveLength(2)
  expect(new Set(urls).size).toBe(1)
  stop.abort()
  await running
})

interface Blocker extends AsyncDisposable {
  readonly port: number
}

async function listening(): Promise<Blocker> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) =>
        server.close(() => {
          resolve()
        }),
      ),
  }
}
