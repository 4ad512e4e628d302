import { pino, type Logger } from 'pino'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export type LogFields = Readonly<Record<string, unknown>>

/** Structured logging: a sentence for people, fields for machines. */
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** The same log with `fields` on every line. */
  with(fields: LogFields): Log
}

/** One JSON line per entry to `destination` (standard error), written before the call returns: a crash loses none. */
export function createLog(options: {
  program: string
  level: LogLevel
  destination?: { write(line: string): void }
}): Log {
  const destination = options.destination ?? {
    write: (line: string) => {
      process.stderr.write(line)
    },
  }
  const settings = {
    level: options.level,
    base: { program: options.program },
    timestamp: () => `,"at":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    messageKey: 'message',
  }
  return wrap(pino(settings, destination))
}

function wrap(logger: Logger): Log {
  return {
    debug: (message, fields = {}) => {
      logger.debug(fields, message)
    },
    info: (message, fields = {}) => {
      logger.info(fields, message)
    },
    warn: (message, fields = {}) => {
      logger.warn(fields, message)
    },
    error: (message, fields = {}) => {
      logger.error(fields, message)
    },
    with: (fields) => wrap(logger.child(fields)),
  }
}
