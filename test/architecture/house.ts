// The repository as its tests of architecture see it: what Git tracks, and what the configuration says.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

export const house = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** Tracked files, and those that would be with the next commit, by their paths from the root. */
export const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: house,
  encoding: 'utf8',
})
  .split('\n')
  .filter((path) => path !== '' && existsSync(join(house, path)))
  .toSorted()

export const typeScriptFiles = files.filter((path) => path.endsWith('.ts'))

export function textOf(path: string): string {
  return readFileSync(join(house, path), 'utf8')
}

const dependenciesSchema = z.record(z.string(), z.string()).default({})
const packageSchema = z.object({
  name: z.string(),
  version: z.string(),
  bin: z.record(z.string(), z.string()).default({}),
  dependencies: dependenciesSchema,
  devDependencies: dependenciesSchema,
})
export type Package = z.infer<typeof packageSchema>

export function packageOf(room: string): Package {
  return packageSchema.parse(JSON.parse(textOf(join(room, 'package.json'))))
}

/** The rooms that a TypeScript project refers to, by their paths from the root. */
export function referencesOf(project: string): string[] {
  const schema = z.object({ references: z.array(z.object({ path: z.string() })).default([]) })
  const { references } = schema.parse(JSON.parse(textOf(join(project, 'tsconfig.json'))))
  return references.map(({ path }) => join(project, path)).toSorted()
}

const rulesSchema = z.object({
  forbidden: z.array(
    z.object({ name: z.string(), from: z.record(z.string(), z.unknown()), to: z.record(z.string(), z.unknown()) }),
  ),
})
const { forbidden } = rulesSchema.parse(createRequire(import.meta.url)(join(house, '.dependency-cruiser.cjs')))

/** What each room may import, as `.dependency-cruiser.cjs` says. */
export const arrows = new Map(
  forbidden
    .filter(({ name }) => name.startsWith('arrows-of-'))
    .map(({ from, to }) => {
      const [own = '', ...others] = z.array(z.string()).parse(to['pathNot']).map(roomOfPattern)
      if (own !== roomOfPattern(z.string().parse(from['path']))) throw new Error(`the arrows of ${own} begin elsewhere`)
      return [own, [...new Set(others)].toSorted()] as const
    }),
)

/** The rooms inside a package, by its folder, and what each may import of the others. */
export const innerArrows = new Map<string, Map<string, string[]>>()
for (const { name, from, to } of forbidden) {
  if (!name.startsWith('inner-arrows-of-')) continue
  const [, home = '', room = ''] = /^\^(.+)\/src\/(.+)\/$/.exec(z.string().parse(from['path'])) ?? []
  const mayImport = z.array(z.string()).parse(to['pathNot'])
  const others = mayImport.map((pattern) => pattern.slice(`^${home}/src/`.length, -1)).filter((one) => one !== room)
  innerArrows.set(home, (innerArrows.get(home) ?? new Map<string, string[]>()).set(room, others))
}

/** The one file that may import each outside library. */
export const owners = new Map(
  forbidden
    .filter(({ name }) => name.startsWith('owner-of-'))
    .map(({ name, from }) => {
      const pattern = z.string().parse(from['pathNot'])
      return [name.slice('owner-of-'.length), pattern.replaceAll(/[\\^$]/g, '')] as const
    }),
)

/** Every room: its workspace's folder. */
export const rooms = [...arrows.keys()].toSorted()

function roomOfPattern(pattern: string): string {
  return pattern.replace(/^\^/, '').replace(/\/src\/.*$/, '')
}
