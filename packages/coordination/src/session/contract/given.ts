// What callers hand in, refused before anything is done with it. The compiler has not seen all of it (JavaScript, casts, values
// from an environment), and what goes on by itself has no one to reject to: it would try again for ever. A rule is a schema
// with a text; options have their rules beside their interface, and a field without a rule does not compile.
// This is the one file that knows the schema library. Calls of the session are checked by hand (requests.ts): they are hot.

import { isUint8Array } from 'node:util/types'
import { z } from 'zod'
import { ZooKeeperError } from './errors.ts'
import { isName, isPath } from './paths.ts'
import type { CallOptions, ReadOptions } from './session.ts'

/** What a value is, as the rest of a sentence: "is a function". */
export type Rule = z.ZodType
/** A rule for each field of an interface; `is.optional` for those that may be left out. */
export type Rules<T> = { readonly [Field in keyof T]-?: undefined extends T[Field] ? z.ZodOptional : Rule }

const pathRule = 'starts with "/", and no part of it is empty, ".", ".." or has a character that servers refuse'
/** Of which fields an error shows no value. */
const isSecret = /(^|\.)(password|proof|auth(\[\d+\])?|credentials)$/
/** How much of a value an error shows. */
const shownMax = 60

function that(text: string, holds: (value: unknown) => boolean): Rule {
  return z.custom(holds, { error: text })
}

function number(text: string, holds: (value: number) => boolean): Rule {
  return that(text, (value) => typeof value === 'number' && holds(value))
}

function text(rule: string, holds: (value: string) => boolean): Rule {
  return that(rule, (value) => typeof value === 'string' && holds(value))
}

function hasMethod(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && name in value && typeof Reflect.get(value, name) === 'function'
}

/** What is not text but reads as such (a number as `id`) is refused too: it would be written as something else. */
export const is = {
  that,
  having: (rule: string, ...methods: readonly string[]) =>
    that(rule, (value) => methods.every((method) => hasMethod(value, method))),
  session: that('is a session: await openSession()', (value) => hasMethod(value, 'onState')),
  path: text(pathRule, isPath),
  /** Of a recipe that has nodes below it. */
  pathBelowRoot: text(`${pathRule}; and it is not "/"`, (value) => value !== '/' && isPath(value)),
  /** One part of a path. */
  name: text('is one part of a path: not empty, not "." or "..", without "/" and what servers refuse', isName),
  text: text('is text', () => true),
  callback: that('is a function', (value) => typeof value === 'function'),
  bytes: that('is bytes, a Uint8Array (text: Buffer.from(text))', isUint8Array),
  flag: that('is true or false', (value) => typeof value === 'boolean'),
  signal: that('is an AbortSignal', isSignal),
  /** A deadline that is over is no mistake: the call ends with `timeout`. */
  timeout: that('is a number of milliseconds', isTime),
  wholeNumber: (min: number, max = Infinity) =>
    number(
      `is a whole number from ${min}${max === Infinity ? '' : ` to ${max}`}`,
      (value) => Number.isSafeInteger(value) && value >= min && value <= max,
    ),
  /** A limit; none is Infinity. */
  numberFrom: (min: number) => number(`is a number from ${min}`, (value) => value >= min),
  /** An interval; never is Infinity. */
  milliseconds: number('is a number of milliseconds above 0', (value) => value > 0),
  oneOf: (...values: readonly string[]) =>
    text(`is one of ${values.map((value) => JSON.stringify(value)).join(', ')}`, (value) => values.includes(value)),
  optional: (rule: Rule) => rule.optional(),
  list: (rule: Rule) => z.array(rule, { error: 'is a list' }),
  /** Other fields are ignored, and methods are as good as functions. */
  options: <T>(rules: Rules<T>) => z.object(rules, { error: `is an object with ${Object.keys(rules).join(', ')}` }),
} as const

function isSignal(value: unknown): value is AbortSignal {
  return hasMethod(value, 'addEventListener')
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && !Number.isNaN(value)
}

/** Of the options of a call, for those that have more. */
export const callRules: Rules<CallOptions> = {
  signal: is.optional(is.signal),
  timeoutMs: is.optional(is.timeout),
  generation: is.optional(that('is a whole number', Number.isInteger)),
}
export const callOptions = is.optional(is.options(callRules))
const readOptions = is.optional(is.options<ReadOptions>({ ...callRules, watch: is.optional(is.callback) }))

/**
 * Throws `bad-arguments`, naming all that is wrong, unless every value keeps its rule; a `session` needs none beside it.
 * `attempt` says what was attempted: "join election". Fields of options are named without them.
 */
export function assertGiven<const T extends Readonly<Record<string, unknown>>>(
  attempt: string,
  values: T,
  rules: { readonly [Name in Exclude<keyof T, 'session'>]: Rule },
): void {
  const all: Readonly<Record<string, Rule>> = { session: is.session, ...rules }
  const wrong = Object.entries(values).flatMap(([name, value]) => {
    const issues = all[name]?.safeParse(value, { reportInput: true }).error?.issues ?? []
    return issues.map(({ path, message, input }) => {
      const field = place(name, path)
      return `${field} ${message}, not ${isSecret.test(field) ? `a value of type ${typeof input}` : shown(input)}`
    })
  })
  if (wrong.length > 0)
    throw new ZooKeeperError(
      'bad-arguments',
      `${attempt}: ${wrong.join('; ')}; correct ${wrong.length === 1 ? 'it' : 'them'}`,
    )
}

/** `auth[0].scheme`: fields of options are known without them, items of a list are not. */
function place(name: string, path: readonly PropertyKey[]): string {
  const known = typeof path[0] === 'string' ? path : [name, ...path]
  return known
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .slice(1)
}

/** By hand, as most calls of the session have them. */
export function assertCallOptions(attempt: string, options: unknown): void {
  if (!isCallOptions(options)) assertGiven(attempt, { options }, { options: callOptions })
}

/** Likewise, of reads; their watch is checked where it is left. */
export function assertReadOptions(attempt: string, options: unknown): void {
  if (!isCallOptions(options)) assertGiven(attempt, { options }, { options: readOptions })
}

function isCallOptions(options: unknown): boolean {
  if (options === undefined) return true
  if (typeof options !== 'object' || options === null) return false
  const { signal, timeoutMs, generation }: { readonly [Name in keyof CallOptions]?: unknown } = options
  return (
    (timeoutMs === undefined || isTime(timeoutMs)) &&
    (signal === undefined || signal instanceof AbortSignal) &&
    (generation === undefined || Number.isInteger(generation))
  )
}

/** What is right of the limits of a call that has to be done whatever is given. */
export function rightLimits(options: unknown): Pick<CallOptions, 'signal' | 'timeoutMs'> {
  if (typeof options !== 'object' || options === null) return {}
  const { signal, timeoutMs }: { readonly [Name in keyof CallOptions]?: unknown } = options
  return { signal: isSignal(signal) ? signal : undefined, timeoutMs: isTime(timeoutMs) ? timeoutMs : undefined }
}

/** By hand, as every call of the session has one. */
export function assertPath(attempt: string, path: unknown): void {
  if (typeof path !== 'string' || !isPath(path)) assertGiven(attempt, { path }, { path: is.path })
}

/** A value as an error shows it: short, and nothing of what is inside. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > shownMax ? `${value.slice(0, shownMax)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return String(value)
  const type = Object.prototype.toString.call(value).slice('[object '.length, -1)
  return `${/^[AEIO]/.test(type) ? 'an' : 'a'} ${type}`
}
