// How a program reacts to signals, to closed pipes and to what its work throws. Exit codes:
// 0 done, 1 failed, 2 used wrongly.

import { asError, CatchmentError, codeOf } from '../errors.ts'
import { realClock, type Timer } from '../time/clock.ts'

/** Ctrl-C reaches every process of a terminal, and npm sends it once more: within this time it is the same request. */
const signalEchoMs = 500

const usageCodes = new Set(['usage', 'insecure', 'bad-address'])

/** Runs `work` under the signals; reports what it throws in words and sets the exit code. */
export async function runToEnd(
  program: { readonly name: string; readonly json: boolean },
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  let firstAtMs = 0
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      if (realClock.monotonicMs() - firstAtMs > signalEchoMs) process.exit(signal === 'SIGINT' ? 130 : 143)
      return
    }
    firstAtMs = realClock.monotonicMs()
    stop.abort(new CatchmentError('stopped', `stopped by ${signal}`, { blame: 'operator' }))
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  process.stdout.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error
    process.exit(0) // `catchment tree | head`
  })
  process.stderr.on('error', (error) => {
    if (codeOf(error) !== 'EPIPE') throw error // the reader of the log is gone; the program must still end cleanly
  })
  try {
    await work(stop.signal)
  } catch (thrown) {
    if (codeOf(thrown) === 'stopped') return
    const error = asError(thrown)
    const code = codeOf(error)
    const ours = error instanceof CatchmentError && error.blame !== 'bug'
    const message = ours ? error.message : (error.stack ?? error.message)
    process.stderr.write(
      program.json
        ? `${JSON.stringify({ error: { code: code ?? 'internal', message } })}\n`
        : `${program.name}: ${message}\n`,
    )
    process.exitCode = code !== undefined && usageCodes.has(code) ? 2 : 1
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
  }
}

/** Without its parent nothing would kill a program that hangs while it ends, and its data would stay locked: it kills itself. */
const parentGoneGraceMs = 8_000

/** `gone` aborts when standard input ends. Until `release`, a program that has not ended by then ends for good. */
export function watchParent(): { readonly gone: AbortSignal; readonly release: () => void } {
  const ended = new AbortController()
  let last: Timer | undefined
  const end = (): void => {
    last ??= realClock.after(parentGoneGraceMs, () => {
      process.exit(1)
    })
    ended.abort(new CatchmentError('stopped', 'standard input ended: the parent is gone', { blame: 'operator' }))
  }
  process.stdin.on('end', end).on('close', end).on('error', end).resume()
  return {
    gone: ended.signal,
    release: () => {
      // Destroyed, for an open pipe keeps the process alive.
      process.stdin.off('end', end).off('close', end).destroy()
      last?.cancel()
    },
  }
}
