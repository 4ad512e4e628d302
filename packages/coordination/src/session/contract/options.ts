// What a session is opened with, made whole: what is left out gets its default, what cannot work is refused at once.

import { connect } from 'node:net'
import { isUint8Array } from 'node:util/types'
import { realClock, realRandom } from '@catchment/runtime'
import { assertGiven, is } from './given.ts'
import type { ConnectSocket, Credentials, SessionLog, SessionOptions } from './session.ts'
import { notify } from './notify.ts'

/** Timeouts are signed 32 bit numbers of the protocol. */
const sessionTimeoutMsMax = 2 ** 31 - 1
const watchesMaxDefault = 200_000

export type WholeOptions = { readonly [Name in keyof SessionOptions]-?: Exclude<SessionOptions[Name], undefined> }

export const credentialsRule = is.options<Credentials>({
  scheme: is.text,
  proof: is.that('is text or bytes', (value) => typeof value === 'string' || isUint8Array(value)),
})

const sessionOptions = is.options<SessionOptions>({
  servers: is.that(
    'names at least one, as host:port,host:port or host:port,host:port/path',
    (value) => typeof value === 'string' && value !== '',
  ),
  sessionTimeoutMs: is.wholeNumber(1, sessionTimeoutMsMax),
  connectTimeoutMs: is.optional(is.milliseconds),
  watchesMax: is.optional(is.numberFrom(0)),
  clock: is.optional(is.having('is a clock', 'now', 'monotonicMs', 'after')),
  random: is.optional(is.having('is a source of random numbers', 'float', 'bytes')),
  log: is.optional(is.callback),
  connect: is.optional(is.callback),
  auth: is.optional(is.list(credentialsRule)),
})

/** Throws `bad-arguments`. What is `undefined` counts as left out. */
export function wholeOptions(options: SessionOptions): WholeOptions {
  assertGiven('open a session', { options }, { options: sessionOptions })
  const { servers, sessionTimeoutMs } = options
  return {
    ...{ servers, sessionTimeoutMs },
    connectTimeoutMs: options.connectTimeoutMs ?? 2 * sessionTimeoutMs,
    watchesMax: options.watchesMax ?? watchesMaxDefault,
    clock: options.clock ?? realClock,
    random: options.random ?? realRandom,
    log: safe(options.log ?? (() => undefined)),
    connect: options.connect ?? connectTcp,
    auth: options.auth ?? [],
  }
}

/** A log that throws must not stop a session halfway through a change of its state: Node warns instead. */
function safe(log: SessionLog): SessionLog {
  const warn: SessionLog = (message, { error }) => {
    process.emitWarning(`${message}: ${String(error)}`)
  }
  return (message, fields) => {
    notify(warn, 'the log of a session', log, message, fields)
  }
}

const connectTcp: ConnectSocket = (server) => connect(server).setNoDelay()
