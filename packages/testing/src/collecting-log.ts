import type { Log, LogFields, LogLevel } from '@catchment/runtime'

export interface LogEntry {
  readonly level: LogLevel
  readonly message: string
  /** Those of `with` included. */
  readonly fields: LogFields
}

/** A log that a test can read. Logs made by `with` write to the same entries. */
export interface CollectingLog extends Log {
  readonly entries: readonly LogEntry[]
}

export function collectingLog(): CollectingLog {
  return collectInto([], {})
}

function collectInto(entries: LogEntry[], inherited: LogFields): CollectingLog {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      entries.push({ level, message, fields: { ...inherited, ...fields } })
    }
  return {
    entries,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => collectInto(entries, { ...inherited, ...fields }),
  }
}
