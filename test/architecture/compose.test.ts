import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import { house, textOf } from './house.ts'

// The YAML reader is the runtime's own; asked for here because no face of ours reads a file that is not settings.
const yaml = createRequire(join(house, 'packages/runtime/package.json'))('yaml') as {
  parse(text: string, options: { merge: boolean }): unknown
}

const serviceSchema = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }).optional(),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
})
const compose = z
  .object({ services: z.record(z.string(), serviceSchema), volumes: z.record(z.string(), z.unknown()) })
  .parse(yaml.parse(textOf('docker-compose.yml'), { merge: true }))
const services = Object.entries(compose.services)
const programs = services.filter(([, { command }]) => command?.[0] === 'node')

const helpOf = (main: string): string =>
  execFileSync(process.execPath, [join(house, main), '--help'], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200' },
  })

describe('docker-compose.yml', () => {
  test('holds an ensemble of three, two assigners, three collectors and two agents', () => {
    const count = (pattern: RegExp): number => services.filter(([name]) => pattern.test(name)).length
    expect([/^zookeeper-/, /^assigner-/, /^collector-/, /^agent-/].map(count)).toEqual([3, 2, 3, 2])
    expect(programs).toHaveLength(7)
  })

  test('every command runs a program that is there with flags that it has', () => {
    const helps = new Map<string, string>()
    for (const [name, { command = [], image, build }] of programs) {
      const [, main = '', ...words] = command
      if (!helps.has(main)) helps.set(main, helpOf(main))
      expect([name, image, build?.dockerfile]).toEqual([name, 'catchment', 'deploy/Dockerfile'])
      const flags: string[] = [...((helps.get(main) ?? '').match(/--[a-z][a-z-]*/g) ?? [])]
      for (const word of words)
        expect([name, word, flags.includes(word.split('=')[0] ?? '')]).toEqual([name, word, true])
    }
  })

  test('what is depended on and mounted is there; what listens says where and has a health check', () => {
    expect(existsSync(join(house, 'deploy/Dockerfile'))).toBe(true)
    for (const [name, { depends_on, volumes, healthcheck, command = [] }] of services) {
      for (const [other, { condition }] of Object.entries(depends_on)) {
        const checked = compose.services[other]?.healthcheck !== undefined
        expect([name, other, checked || condition === 'service_started']).toEqual([name, other, true])
      }
      for (const volume of volumes) expect(compose.volumes).toHaveProperty([volume.split(':')[0] ?? ''])
      if (!command.includes('--listen=0.0.0.0:7070')) continue
      expect([name, command]).toEqual([
        name,
        expect.arrayContaining(['--insecure', `--advertise=http://${name}:7070`, `--id=${name}`]),
      ])
      expect([name, healthcheck?.test.at(-1)]).toEqual([name, expect.stringContaining('http://127.0.0.1:7070/healthz')])
    }
  })

  test('no port is open beyond this machine', () => {
    for (const [name, { ports }] of services)
      for (const port of ports) expect([name, port]).toEqual([name, expect.stringMatching(/^127\.0\.0\.1:/)])
  })
})
