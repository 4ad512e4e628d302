import { accessSync, constants } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { house, files, packageOf, rooms, textOf, typeScriptFiles } from './house.ts'

const topLevel = [
  // the house
  ...[
    'package.json',
    'tsconfig.json',
    'packages',
    'collector',
    'source-agent',
    'assigner',
    'test',
    'docker-compose.yml',
  ],
  // what every repository has
  ...['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'LICENSE', '.ci', 'deploy'],
  // configuration of tools
  ...[
    'package-lock.json',
    'tsconfig.base.json',
    'eslint.config.js',
    'jest.config.js',
    'knip.json',
    '.dependency-cruiser.cjs',
  ],
  ...['.gitignore', '.npmrc', '.nvmrc', '.prettierignore', '.prettierrc.json'],
]

/** Files in which a test may wait for real time, and why. */
const mayWait = new Map([
  ['packages/runtime/test/lifecycle.test.ts', 'the real clock is what it tests'],
  ['packages/coordination/test/calls/deadlines.world.test.ts', 'requests that take their time are what it tests'],
  [
    'packages/coordination/test/recipes/elections/fence.world.test.ts',
    'a request that takes its time is what it tests',
  ],
  ['source-agent/test/agent-tailing.test.ts', 'the gaps between appends are what it tests'],
])

const linesMax = 400

/** A folder of more files is a house without rooms. */
const folderFilesMax = 12

/** Folders that hold more TypeScript files, and why they may. */
const mayBeFuller = new Map([
  ['packages/placement/src', 'the planner is rebuilt'],
  ['packages/testing/src', 'was so when this test was written; this list only shrinks'],
])

/** The files whose text `pattern` matches, with the first match. */
const withText = (paths: readonly string[], pattern: RegExp): string[] =>
  paths.flatMap((path) => {
    const match = pattern.exec(textOf(path))
    return match === null ? [] : [`${path}: ${match[0].trim()}`]
  })

describe('the house', () => {
  test('its top level holds exactly what is listed', () => {
    const entries = new Set(files.map((path) => path.split('/')[0] ?? ''))
    expect([...entries].toSorted()).toEqual(topLevel.toSorted())
  })

  test('every package is a room with arrows, with its tests beside its sources', () => {
    const packages = files.filter((path) => /^(packages\/)?[^/]+\/package\.json$/.test(path))
    expect(packages.map((path) => path.slice(0, -'/package.json'.length))).toEqual([...rooms, 'test'].toSorted())
    for (const room of rooms) {
      expect([room, packageOf(room).name]).toEqual([room, `@catchment/${basename(room)}`])
      expect([room, files.some((path) => path.startsWith(`${room}/test/`) && path.endsWith('.test.ts'))]).toEqual([
        room,
        true,
      ])
    }
  })

  test('no file has more than 400 lines, and none is named for having no subject', () => {
    expect(typeScriptFiles.length).toBeGreaterThan(100)
    const long = typeScriptFiles.filter((path) => textOf(path).split('\n').length > linesMax + 1)
    expect(long).toEqual([])
    const nameless = files.filter((path) =>
      /(^|\/)((utils?|helpers?|common|misc|types)\.[^/]+$|(utils?|helpers?|common|misc)\/)/i.test(path),
    )
    expect(nameless).toEqual([])
  })

  test('no folder has more than a dozen TypeScript files: it has rooms', () => {
    const counts = new Map<string, number>()
    for (const path of typeScriptFiles) counts.set(dirname(path), (counts.get(dirname(path)) ?? 0) + 1)
    const full = [...counts].filter(([, count]) => count > folderFilesMax).map(([folder]) => folder)
    expect(full.filter((folder) => !mayBeFuller.has(folder))).toEqual([])
    expect([...mayBeFuller.keys()].filter((folder) => !full.includes(folder))).toEqual([])
  })

  test('no default exports, no export *, no switched-off lint, no work left for later', () => {
    const sources = typeScriptFiles.filter((path) => !path.endsWith('.d.ts') && !path.startsWith('test/architecture/'))
    expect(withText(sources, /^export default\b.*$/m)).toEqual([])
    expect(withText(sources, /^export \*.*$/m)).toEqual([])
    expect(
      withText(sources, /(eslint-disable|@ts-ignore|@ts-expect-error|@ts-nocheck|\b(?:TODO|FIXME|XXX)\b).*$/m),
    ).toEqual([])
  })

  test('tests wait for events, not for time', () => {
    const tests = typeScriptFiles.filter(
      (path) => path.endsWith('.test.ts') && !mayWait.has(path) && !path.startsWith('test/architecture/'),
    )
    expect(withText(tests, /setTimeout\(|timers\/promises|\bsleep\((?:realClock|\d).*$/m)).toEqual([])
    expect([...mayWait.keys()].filter((path) => !files.includes(path))).toEqual([])
  })

  test('decisions are pure: they import decisions and the protocol, and never wait, ask the time or roll dice', () => {
    const decisions = typeScriptFiles.filter((path) =>
      /^packages\/(hashing|placement|protocol)\/src\/|\/src\/(.*\/)?decide\//.test(path),
    )
    expect(decisions.length).toBeGreaterThan(20)
    for (const path of decisions) {
      const imported = [
        ...textOf(path).matchAll(/^(?:import|export)[^'"]*?from '([^']+)'|^import '([^']+)'|import\('([^']+)'/gm),
      ]
      const names = imported.map((match) => match[1] ?? match[2] ?? match[3] ?? '')
      const foreign = names.filter(
        (name) => !/^(\.\.?\/|@catchment\/(hashing|placement|protocol)$|zod$|node:zlib$)/.test(name),
      )
      expect([path, foreign]).toEqual([path, []])
    }
    expect(
      withText(
        decisions,
        /^.*(?:\bawait\b |\basync \(|\basync function|Date\.now\(|Math\.random\(|performance\.now\().*$/m,
      ),
    ).toEqual([])
  })

  test('every program can be started: executable, with the interpreter in its first line', () => {
    const programs = rooms.flatMap((room) => Object.values(packageOf(room).bin).map((path) => join(room, path)))
    expect(programs.length).toBeGreaterThanOrEqual(5)
    expect(programs.toSorted()).toEqual(files.filter((path) => path.endsWith('/src/main.ts')))
    for (const path of programs) {
      expect([path, textOf(path).split('\n')[0]]).toEqual([path, '#!/usr/bin/env node'])
      expect(() => {
        accessSync(join(house, path), constants.X_OK)
      }).not.toThrow()
    }
  })
})
