// What a session is opened with, made whole: what is left out gets its default, what cannot work is refused at once.

import { connect } from 'node:net'
import { realClock, realRandom } from '@catchment/runtime'
import { ZooKeeperError } from './errors.ts'
import type { ConnectSocket, SessionLog, SessionOptions } from './session.ts'
import { tell } from './tell.ts'

/** Timeouts are signed 32 bit numbers of the protocol. */
const sessionTimeoutMsMax = 2 ** 31 - 1
const watchesMaxDefault = 200_000

export type WholeOptions = { readonly [Name in keyof SessionOptions]-?: Exclude<SessionOptions[Name], undefined> }

/** Throws `bad-arguments`. What is `undefined` counts as left out. */
export function wholeOptions(options: SessionOptions): WholeOptions {
  const { servers, sessionTimeoutMs } = options
  const whole: WholeOptions = {
    ...{ servers, sessionTimeoutMs },
    connectTimeoutMs: options.connectTimeoutMs ?? 2 * sessionTimeoutMs,
    watchesMax: options.watchesMax ?? watchesMaxDefault,
    clock: options.clock ?? realClock,
    random: options.random ?? realRandom,
    log: safe(options.log ?? (() => undefined)),
    connect: options.connect ?? connectTcp,
    auth: options.auth ?? [],
  }
  assertUsable(whole)
  return whole
}

/** A log that throws must not stop a session halfway through a change of its state: Node is told instead. */
function safe(log: SessionLog): SessionLog {
  const warn: SessionLog = (message, { error }) => {
    process.emitWarning(`${message}: ${String(error)}`)
  }
  return (message, fields) => {
    tell(warn, 'the log of a session', log, message, fields)
  }
}

const connectTcp: ConnectSocket = (server) => connect(server).setNoDelay()

/** They often come from an environment or a file, which no compiler has seen. */
function assertUsable({ servers, sessionTimeoutMs, connectTimeoutMs, watchesMax }: WholeOptions): void {
  if (typeof (servers as unknown) !== 'string' || servers === '')
    throw refused('servers', 'names at least one, as host:port,host:port or host:port,host:port/path', servers)
  if (!Number.isInteger(sessionTimeoutMs) || sessionTimeoutMs < 1 || sessionTimeoutMs > sessionTimeoutMsMax)
    throw refused(
      'sessionTimeoutMs',
      `is a whole number of milliseconds, 1 to ${sessionTimeoutMsMax}`,
      sessionTimeoutMs,
    )
  if (!(connectTimeoutMs > 0))
    throw refused('connectTimeoutMs', 'is a number of milliseconds above 0', connectTimeoutMs)
  if (!(watchesMax >= 0)) throw refused('watchesMax', 'is a number from 0', watchesMax)
}

function refused(name: string, rule: string, value: unknown): ZooKeeperError {
  const given = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return new ZooKeeperError('bad-arguments', `open a session: ${name} ${rule}, not ${given}; correct the option`)
}
