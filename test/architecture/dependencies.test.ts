import { execFileSync } from 'node:child_process'
import { join, relative } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { z } from 'zod'
import {
  arrows,
  files,
  house,
  innerArrows,
  owners,
  packageOf,
  referencesOf,
  rooms,
  textOf,
  typeScriptFiles,
} from './house.ts'

/** The rooms among the names of packages. */
const roomsOf = (names: readonly string[]): string[] =>
  rooms.filter((room) => names.includes(packageOf(room).name)).toSorted()
const isRoom = (name: string): boolean => name.startsWith('@catchment/')

const lockSchema = z.object({ packages: z.record(z.string(), z.object({ resolved: z.string().optional() })) })

describe('the lock file', () => {
  test('is complete: npm ci accepts it on every platform', () => {
    expect(() =>
      execFileSync(process.execPath, ['.ci/repair-lock.js', '--check'], { cwd: house, stdio: 'pipe' }),
    ).not.toThrow()
  })

  test('names no address to download from: every machine asks its own registry', () => {
    const { packages } = lockSchema.parse(JSON.parse(textOf('package-lock.json')))
    const local = Object.values(packages).flatMap(({ resolved }) => (resolved === undefined ? [] : [resolved]))
    expect(local.toSorted()).toEqual([...rooms, 'test'].toSorted())
  })
})

describe('dependencies between rooms', () => {
  test.each(rooms)('%s: package.json, the references of tsconfig.json and the arrows agree', (room) => {
    const dependencies = roomsOf(Object.keys(packageOf(room).dependencies))
    expect(dependencies).toEqual(arrows.get(room))
    expect(referencesOf(room)).toEqual(dependencies)
  })

  test.each(rooms)('%s: its tests refer to it and to all that its package.json names', (room) => {
    const { dependencies, devDependencies } = packageOf(room)
    const named = roomsOf([...Object.keys(dependencies), ...Object.keys(devDependencies)])
    expect(referencesOf(join(room, 'test'))).toEqual([room, ...named].toSorted())
  })

  test('test/ refers to every room, and the root to every project', () => {
    expect(roomsOf(Object.keys(packageOf('test').dependencies))).toEqual(rooms)
    expect(referencesOf('test')).toEqual(rooms)
    expect(referencesOf('.')).toEqual([...rooms.flatMap((room) => [room, join(room, 'test')]), 'test'].toSorted())
  })
})

describe('rooms inside a package', () => {
  test.each([...innerArrows])(
    '%s: every folder of its sources is one, with arrows that run one way',
    (room, arrowsOf) => {
      const folders = files.flatMap((path) => /^src\/([^/]+)\//.exec(relative(room, path))?.[1] ?? [])
      const outer = [...arrowsOf.keys()].filter((name) => !name.includes('/')) // a room may have rooms of its own
      expect(outer.toSorted()).toEqual([...new Set(folders)].toSorted())
      let open = [...arrowsOf]
      for (let before = Infinity; open.length < before;) {
        before = open.length
        const names = new Set(open.map(([name]) => name))
        open = open.filter(([, others]) => others.some((other) => names.has(other)))
      }
      expect(open).toEqual([])
    },
  )
})

describe('versions', () => {
  test('all packages have one version, which is what every program says of itself', () => {
    const versions = new Set(['.', 'test', ...rooms].map((room) => packageOf(room).version))
    expect(versions.size).toBe(1)
    const [version = ''] = versions
    const named = typeScriptFiles.filter((path) => path.includes('/src/') && textOf(path).includes(`'${version}'`))
    expect(named).toEqual([])
  })
})

describe('dependencies on others', () => {
  const outside = (room: string): string[] => Object.keys(packageOf(room).dependencies).filter((name) => !isRoom(name))
  const libraries = [...new Set(rooms.flatMap(outside))].toSorted()

  test('each has its exact version, and one version in the whole house', () => {
    const versions = new Map<string, string>()
    for (const room of ['.', 'test', ...rooms]) {
      const { dependencies, devDependencies } = packageOf(room)
      for (const [name, version] of Object.entries({ ...dependencies, ...devDependencies })) {
        expect([room, name, version]).toEqual([room, name, expect.stringMatching(/^\d+\.\d+\.\d+$/)])
        expect([name, versions.get(name) ?? version]).toEqual([name, version])
        versions.set(name, version)
      }
    }
  })

  test('each but the schema library has one owner, which is there and is the only one to import it', () => {
    expect(libraries.filter((name) => name !== 'zod')).toEqual([...owners.keys()].toSorted())
    for (const [library, owner] of owners) {
      const importers = files.filter(
        (path) => path.endsWith('.ts') && new RegExp(`^import .*from '${library}(/[^']*)?'`, 'm').test(textOf(path)),
      )
      expect([library, importers]).toEqual([library, [owner]])
    }
  })

  test('ARCHITECTURE.md names each with its owner', () => {
    const page = textOf('ARCHITECTURE.md')
    for (const library of libraries) {
      const lines = page.split('\n').filter((line) => line.split(/[^\w@/-]+/).includes(library))
      expect([library, lines.length > 0]).toEqual([library, true])
      const owner = owners.get(library)
      if (owner !== undefined)
        expect([library, owner, lines.some((line) => line.includes(owner))]).toEqual([library, owner, true])
    }
  })
})
