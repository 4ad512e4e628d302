// A program's settings: declared once, and from that the flags, the environment, the configuration file and the help.
// Flags win over the environment (`CATCHMENT_…`), the environment over `--config FILE` (YAML). This is the one file that
// reads process.env.

import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { asError, CatchmentError } from '../errors.ts'

export interface Setting<T> {
  readonly help: string
  /** How the value is shown in the help (`HOST:PORT`); undefined for a toggle. */
  readonly placeholder: string | undefined
  readonly list: boolean
  readonly schema: z.ZodType<T>
  /** Shown in the help; undefined where the setting is required or optional. */
  readonly shownDefault: string | undefined
}

export type SettingsSpec = Readonly<Record<string, Setting<unknown>>>
export type SettingsOf<S extends SettingsSpec> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never
}

interface Described {
  readonly help: string
  readonly placeholder?: string
}

/** A text; `schema` checks it further. Required unless it has a default. */
export function textSetting(
  described: Described & { schema?: z.ZodType<string, string>; default?: string },
): Setting<string> {
  const schema = described.schema ?? z.string().min(1)
  return make(
    described,
    described.default === undefined ? schema : schema.default(described.default),
    described.default,
  )
}

/** A text that may be left out. */
export function optionalTextSetting(
  described: Described & { schema?: z.ZodType<string, string> },
): Setting<string | undefined> {
  return make(described, (described.schema ?? z.string().min(1)).optional(), undefined)
}

/** A number, or its decimal text; not what JavaScript would also take for one (true, an empty text, 0x10). */
const numberRule = { error: 'it must be a number' }
const numeric = z
  .union([z.number(), z.string().regex(/^\s*[+-]?\d+(\.\d+)?(e[+-]?\d+)?\s*$/i, numberRule)], numberRule)
  .transform(Number)

export function numberSetting(
  described: Described & { min: number; max: number; integer?: boolean; default: number },
): Setting<number> {
  const inRange = z.number().min(described.min).max(described.max)
  const schema = numeric.pipe(described.integer === false ? inRange : inRange.int())
  return make({ placeholder: 'N', ...described }, schema.default(described.default), String(described.default))
}

export function optionalNumberSetting(
  described: Described & { min: number; max: number },
): Setting<number | undefined> {
  const schema = numeric.pipe(z.number().int().min(described.min).max(described.max)).optional()
  return make({ placeholder: 'N', ...described }, schema, undefined)
}

/** Bytes, as `5GiB`, `200MB` or a plain number. */
export function bytesSetting(described: Described & { default: string }): Setting<number> {
  const schema = z.union([z.string(), z.number()], { error: 'it must be a size' }).transform((value, context) => {
    const bytes = parseBytes(String(value))
    if (bytes === undefined)
      context.addIssue({ code: 'custom', message: `"${value}" is not a size: write 500MiB, 5GiB or a number of bytes` })
    return bytes ?? 0
  })
  return make({ placeholder: 'SIZE', ...described }, schema.prefault(described.default), described.default)
}

/** One of a few words. */
export function choiceSetting<const C extends string>(
  described: Described & { choices: readonly [C, ...C[]]; default: C },
): Setting<C> {
  const schema: z.ZodType<C> = z.enum(described.choices)
  return make(
    { placeholder: described.choices.join('|'), ...described },
    schema.default(described.default),
    described.default,
  )
}

/** On or off; off by default. */
export function toggleSetting(described: Described): Setting<boolean> {
  const schema = z
    .union([z.boolean(), z.enum(['true', 'false', '1', '0'])], { error: 'it must be true or false' })
    .default(false)
    .transform((value) => value === true || value === 'true' || value === '1')
  return { ...make(described, schema, undefined), placeholder: undefined }
}

/** Several texts: a flag with several words or given several times; in the environment one text or a JSON array. */
export function listSetting(described: Described & { default?: readonly string[] }): Setting<readonly string[]> {
  const schema = z
    .union(
      [
        z.array(z.string().min(1)),
        z
          .string()
          .min(1)
          .transform((text) => [text]),
      ],
      { error: 'it must be a text or a list of texts, none of them empty' },
    )
    .default([...(described.default ?? [])])
  return { ...make(described, schema, described.default?.join(' ')), list: true }
}

export interface SettingSources {
  /** By setting name; undefined where a flag was not given. */
  readonly flags: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly configPath: string | undefined
}

/**
 * The settings, checked and frozen. `alsoInFile`: settings that are loaded separately and may be in the same file. Throws
 * CatchmentError `usage`: what is wrong, where it was given, what would be right.
 */
export function loadSettings<S extends SettingsSpec>(
  spec: S,
  sources: SettingSources,
  alsoInFile: readonly string[] = [],
): SettingsOf<S> {
  const known = [...Object.keys(spec), ...alsoInFile]
  const file = sources.configPath === undefined ? {} : readConfigFile(sources.configPath, known)
  const values: Record<string, unknown> = {}
  const shape: Record<string, z.ZodType> = {}
  const origins = new Map<string, string>()
  for (const [name, setting] of Object.entries(spec)) {
    const variable = environmentName(name)
    // compose files and unit files pass an unset variable on as an empty text
    const inherited = sources.environment[variable] === '' ? undefined : sources.environment[variable]
    const candidates: readonly [string, unknown][] = [
      [flagName(name), sources.flags[name]],
      [variable, setting.list && inherited !== undefined ? environmentList(inherited, variable) : inherited],
      [`${name} in ${sources.configPath ?? ''}`, file[name]],
    ]
    const given = candidates.find(([, value]) => value !== undefined)
    if (given !== undefined) values[name] = given[1]
    origins.set(name, given?.[0] ?? flagName(name))
    shape[name] = setting.schema
  }
  const parsed = z.object(shape).safeParse(values)
  if (!parsed.success) throw settingError(parsed.error, values, origins)
  return Object.freeze(parsed.data) as SettingsOf<S>
}

/** The process's environment, for `SettingSources`, for children that inherit it, and for nothing else. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env
}

export function flagName(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

export function environmentName(name: string): string {
  return `CATCHMENT_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** `5GiB` → 5368709120; undefined for anything else. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?$/i.exec(text.trim())
  if (match === null) return undefined
  const power = 'KMGT'.indexOf((match[2] ?? '').toUpperCase()) + 1
  const base = match[3] === '' && match[2] !== undefined ? 1000 : 1024
  return Math.floor(Number(match[1]) * (match[2] === undefined ? 1 : base ** power))
}

/** The word of `words` that was probably meant: at most two letters off. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const ranked = words.map((other) => ({ other, distance: editDistance(word.toLowerCase(), other.toLowerCase()) }))
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0]
  return best !== undefined && best.distance <= Math.min(2, word.length - 1) ? best.other : undefined
}

function make<T>(described: Described, schema: z.ZodType<T>, shownDefault: string | undefined): Setting<T> {
  return { help: described.help, placeholder: described.placeholder ?? 'TEXT', list: false, schema, shownDefault }
}

function readConfigFile(path: string, known: readonly string[]): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = parseYaml(readFileSync(path, 'utf8')) ?? {}
  } catch (thrown) {
    throw usage(`cannot read the configuration ${path}: ${asError(thrown).message}`)
  }
  const checked = z.record(z.string(), z.unknown()).safeParse(parsed)
  if (!checked.success) throw usage(`the configuration ${path} must be a YAML mapping of settings to values`)
  for (const key of Object.keys(checked.data)) {
    if (known.includes(key)) continue
    const meant = nearest(key, known)
    const hint = meant === undefined ? `the settings are ${known.join(', ')}` : `did you mean "${meant}"?`
    throw usage(`unknown setting "${key}" in ${path}: ${hint}`)
  }
  return checked.data
}

function environmentList(text: string, variable: string): unknown {
  if (!text.startsWith('["')) return [text]
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw usage(`${variable} begins like a JSON array but is not one: ${asError(thrown).message}`)
  }
}

function settingError(
  error: z.ZodError,
  values: Record<string, unknown>,
  origins: Map<string, string>,
): CatchmentError {
  const issue = error.issues[0]
  const name = String(issue?.path[0] ?? '')
  if (!(name in values))
    return usage(`${flagName(name)} is required (or ${environmentName(name)}, or "${name}" in the file of --config)`)
  return usage(
    `${origins.get(name) ?? name} cannot be ${JSON.stringify(values[name])}: ${issue?.message ?? 'it is not valid'}`,
  )
}

/** Used wrongly: exit code 2. */
export function usage(message: string): CatchmentError {
  return new CatchmentError('usage', message, { blame: 'operator' })
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i]
    for (let j = 1; j <= b.length; j += 1)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      )
    row = next
  }
  return row[b.length] ?? 0
}
