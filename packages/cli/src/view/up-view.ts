// What `up` says to people.

import type { Role } from '../decide/supervision.ts'
import { counted, humanDuration } from './units.ts'
import { table } from './table.ts'
import type { Palette } from './palette.ts'

/** What the globs of `--follow` find at the start. */
export interface FollowedFiles {
  readonly files: number
  /** There may be more: the scan was cut short. */
  readonly more: boolean
  readonly unreadable: readonly string[]
  /** Globs that find no file now. */
  readonly unmatched: readonly string[]
  /** A followed file that the caller may append to. */
  readonly writable: string | undefined
  /** A followed file, writable or not. */
  readonly any: string | undefined
}

export interface UpFacts {
  readonly running: readonly {
    readonly role: Role
    readonly id: string
    readonly pid: number
    readonly url: string | undefined
    readonly port: number | undefined
  }[]
  readonly tookMs: number
  readonly data: string
  readonly out: string
  readonly logs: string
  readonly globs: readonly string[]
  readonly followed: FollowedFiles
  /** A file that does not exist yet, would be followed, and can be made. */
  readonly makeable: string | undefined
  /** A word that is in no log yet: what the reader appends and finds again. */
  readonly marker: string
  readonly restartDelayMs: number
}

/** Printed before the start: what is missing or cannot be read. */
export function upWarnings(followed: FollowedFiles, palette: Palette): string[] {
  const warnings = followed.unmatched.map((glob) => `no file matches ${glob} yet; files that appear later are followed`)
  const [first] = followed.unreadable
  if (first !== undefined)
    warnings.push(
      `${counted(followed.unreadable.length, 'file')} of ${followed.files} cannot be read by this user, first ${first}. They are tried again later; run as a user, or in a group (often adm), that may read them`,
    )
  return warnings.map((warning) => `${palette.warn('warning:')} ${warning}`)
}

/** What runs where, and what to try next; the last lines are commands that work as they stand. */
export function upReport(facts: UpFacts, palette: Palette): string[] {
  return [
    palette.bold(`Catchment is up after ${humanDuration(facts.tookMs)}.`),
    '',
    ...indented(
      table(
        facts.running.map((one) => [
          palette.good(one.role),
          one.id === one.role ? '' : one.id,
          `pid ${one.pid}`,
          addressOf(one),
        ]),
      ),
    ),
    '',
    ...indented(
      table([
        ['follows', `${facts.globs.join('  ')}  (${filesNow(facts.followed)})`],
        ['collects in', `${facts.out}  (a copy of each followed file, byte for byte)`],
        ['stores in', `${facts.data}  (logs of the programs: ${facts.logs})`],
      ]),
    ),
    '',
    'Ctrl-C stops everything; the next start continues where this one stopped.',
    '',
    ...tryIt(facts, palette),
  ]
}

/** An agent does not listen: its URL is that of the assigner it asks. */
function addressOf({ role, url, port }: UpFacts['running'][number]): string {
  if (url === undefined) return port === undefined ? '' : `127.0.0.1:${port}`
  return role === 'agent' ? `asks ${url}` : url
}

function tryIt(facts: UpFacts, palette: Palette): string[] {
  const command = (text: string): string => `  ${palette.bold(text)}`
  const collector = facts.running.find(({ role }) => role === 'collector')
  return [
    `In another terminal, watch the tree and kill a collector: its groups move at once, and it is back after ${humanDuration(facts.restartDelayMs)}:`,
    command('npx --no-install catchment tree --watch'),
    command(`kill -9 ${collector?.pid ?? 0}`),
    '',
    `Append a line to a ${facts.followed.any === undefined ? 'file that will be followed' : 'followed file'} and see it arrive:`,
    command(appendCommand(facts)),
    command(`until grep -r ${facts.marker} ${quoted(facts.out)}; do sleep 1; done`),
  ]
}

function appendCommand({ followed, makeable, marker }: UpFacts): string {
  const file = followed.writable ?? makeable
  if (file !== undefined) return `echo ${marker} >> ${quoted(file)}`
  return `echo ${marker} | sudo tee -a ${quoted(followed.any ?? '/var/log/hello.log')}`
}

/** What happened to a program while `up` runs. `at` is the time of day. */
export function deathLine(
  dead: { id: string; role: Role; pid: number; how: string; againInMs: number },
  at: string,
  palette: Palette,
): string {
  return `${at}  ${palette.bad(nameOf(dead))} (pid ${dead.pid}) died: ${dead.how}. It restarts in ${humanDuration(dead.againInMs)}`
}

export function backLine(back: { id: string; role: Role; pid: number }, at: string, palette: Palette): string {
  return `${at}  ${palette.good(nameOf(back))} is back (pid ${back.pid})`
}

function nameOf({ id, role }: { id: string; role: Role }): string {
  return id === role ? id : `${role} ${id}`
}

function filesNow({ files, more }: FollowedFiles): string {
  return `${more ? 'at least ' : ''}${counted(files, 'file')} now`
}

/** `text` as one word of a POSIX shell. */
export function quoted(text: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`)
}
