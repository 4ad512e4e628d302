import { describe, expect, test } from '@jest/globals'
import { collectingLog, FakeClock, seededRandom } from '@catchment/testing'
import {
  Background,
  createLog,
  createMetrics,
  fullJitter,
  realClock,
  retry,
  sleep,
  Teardown,
  waitForAbort,
} from '../src/index.ts'

describe('sleep', () => {
  test('ends at its time, not before; an abort ends it at once and leaves no timer', async () => {
    const clock = new FakeClock()
    const ended: string[] = []
    const long = sleep(clock, 1000).then(() => ended.push('long'))
    const stop = new AbortController()
    const cut = sleep(clock, 1000, stop.signal).catch((error: unknown) => ended.push(String(error)))
    await clock.advance(999)
    expect(ended).toEqual([])
    stop.abort(new Error('enough'))
    await cut
    expect([ended, clock.pendingTimers]).toEqual([['Error: enough'], 1])
    await clock.advance(1)
    await long
    await expect(sleep(clock, 1, stop.signal)).rejects.toThrow('enough')
    expect(clock.pendingTimers).toBe(0)
  })
})

describe('realClock', () => {
  test('a delay past what Node timers know does not fire at once', async () => {
    let fired = false
    const timer = realClock.after(2 ** 31, () => {
      fired = true
    })
    await sleep(realClock, 10)
    timer.cancel()
    expect(fired).toBe(false)
  })
})

describe('fullJitter', () => {
  test('the n-th delay is below min(maxMs, baseMs × 2ⁿ), and uses all of it', () => {
    const random = seededRandom(1)
    const ceilings = [100, 200, 400, 800, 1000, 1000]
    const highest = ceilings.map(() => 0)
    for (let round = 0; round < 300; round += 1) {
      const delays = fullJitter(random, { baseMs: 100, maxMs: 1000 })()
      ceilings.forEach((ceiling, attempt) => {
        const next = delays.next()
        const delayMs = next.done === true ? Number.NaN : next.value
        expect(delayMs >= 0 && delayMs < ceiling).toBe(true)
        highest[attempt] = Math.max(highest[attempt] ?? 0, delayMs)
      })
    }
    highest.forEach((delayMs, attempt) => {
      expect(delayMs).toBeGreaterThan(0.9 * (ceilings[attempt] ?? 0))
    })
  })

  test('attemptsMax counts attempts: one delay fewer', () => {
    const policy = fullJitter(seededRandom(1), { baseMs: 1, maxMs: 1, attemptsMax: 3 })
    const delays = policy()
    expect([delays.next().done, delays.next().done, delays.next().done]).toEqual([false, false, true])
  })
})

describe('retry', () => {
  const fixed = function* delays(): Generator<number> {
    yield* [100, 200, 400]
  }

  test('tries again after each delay of the policy, until one attempt succeeds', async () => {
    const clock = new FakeClock()
    const at: number[] = []
    const failures: string[] = []
    const result = retry(
      () => {
        at.push(clock.monotonicMs())
        return at.length < 3 ? Promise.reject(new Error(`no ${at.length}`)) : Promise.resolve('yes')
      },
      { clock, policy: fixed, onFailure: (error, delayMs) => failures.push(`${error.message}, ${delayMs}`) },
    )
    await clock.advance(1000)
    expect([await result, at, failures]).toEqual(['yes', [0, 100, 300], ['no 1, 100', 'no 2, 200']])
  })

  test('throws the last error when the policy ends', async () => {
    const clock = new FakeClock()
    let attempts = 0
    const result = retry(() => Promise.reject(new Error(`no ${(attempts += 1)}`)), { clock, policy: fixed })
    await Promise.all([expect(result).rejects.toThrow('no 4'), clock.advance(10_000)])
  })

  test('an abort ends the wait at once, the attempt is not made again, and no attempt is made when it came first', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    let attempts = 0
    const attempt = (): Promise<never> => {
      attempts += 1
      return Promise.reject(new Error('no'))
    }
    const result = retry(attempt, { clock, policy: fixed, signal: stop.signal })
    const aborted = clock.advance(50).then(() => {
      stop.abort(new Error('stopping'))
    })
    await Promise.all([expect(result).rejects.toThrow('stopping'), aborted])
    await expect(retry(attempt, { clock, policy: fixed, signal: stop.signal })).rejects.toThrow('stopping')
    expect([attempts, clock.pendingTimers]).toEqual([1, 0])
  })

  test('onFailure gives up by throwing', async () => {
    const giveUp = (error: Error): never => {
      throw error
    }
    const result = retry(() => Promise.reject(new Error('for good')), {
      clock: new FakeClock(),
      policy: fixed,
      onFailure: giveUp,
    })
    await expect(result).rejects.toThrow('for good')
  })
})

describe('Background', () => {
  test('counts what runs, reports failures by name, and close waits for all of it', async () => {
    const failures: string[] = []
    const background = new Background((name, error) => failures.push(`${name}: ${error.message}`))
    const clock = new FakeClock()
    const ended: string[] = []
    background.run('fails', () => Promise.reject(new Error('broke')))
    background.run('loops', async (signal) => {
      await sleep(clock, 1000, signal).catch(() => ended.push('loop cut'))
      await sleep(clock, 5)
      ended.push('loop tidied up')
    })
    expect(background.size).toBe(2)
    await clock.advance(0)
    expect([failures, background.size]).toEqual([['fails: broke'], 1])
    const closed = background.close().then(() => ended.push('closed'))
    await clock.advance(4)
    expect(ended).toEqual(['loop cut'])
    await clock.advance(1)
    await closed
    expect([ended, background.size]).toEqual([['loop cut', 'loop tidied up', 'closed'], 0])
  })

  test('logging: a failure is an error of the log, by its name and with its stack', async () => {
    const log = collectingLog()
    const background = Background.logging(log)
    const failure = new Error('broke')
    background.run('the sweep', () => Promise.reject(failure))
    await new FakeClock().advance(0)
    expect(log.entries).toEqual([{ level: 'error', message: 'the sweep failed', fields: { reason: failure.stack } }])
    await background.close()
  })

  test('what ends by the abort is no failure; what is started while it closes is waited for', async () => {
    const failures: string[] = []
    const background = new Background((name) => failures.push(name))
    const clock = new FakeClock()
    let late = false
    background.run('first', async (signal) => {
      await sleep(clock, 1000, signal).catch(() => undefined)
      background.run('second', async () => {
        await Promise.resolve()
        late = true
        throw new Error('aborted')
      })
    })
    await background.close()
    expect([late, failures]).toEqual([true, []])
  })
})

describe('waitForAbort', () => {
  test('resolves with the abort, and at once when it has happened', async () => {
    const stop = new AbortController()
    const resolved: string[] = []
    const waiting = waitForAbort(stop.signal).then(() => resolved.push('waiting'))
    await new FakeClock().advance(0)
    expect(resolved).toEqual([])
    stop.abort()
    await waiting
    await waitForAbort(stop.signal)
    expect(resolved).toEqual(['waiting'])
  })
})

describe('Teardown', () => {
  test('runs every step once, last to first, whatever fails, and reports every failure', async () => {
    const teardown = new Teardown()
    const ran: string[] = []
    teardown.add('lock', () => void ran.push('lock'))
    teardown.add('store', () => Promise.reject(new Error('disk full')))
    teardown.add('session', () => {
      ran.push('session')
      throw new Error('no answer')
    })
    teardown.add('server', () => void ran.push('server'))
    const [first, second] = [teardown.close(), teardown.close()]
    await expect(first).rejects.toThrow('could not close session: no answer; could not close store: disk full')
    await expect(second).rejects.toBeInstanceOf(AggregateError)
    expect(ran).toEqual(['server', 'session', 'lock'])
  })

  test('a step that is added while it closes runs too', async () => {
    const teardown = new Teardown()
    let closed = false
    teardown.add('starting', () => {
      teardown.add('just started', () => void (closed = true))
    })
    await teardown.close()
    expect(closed).toBe(true)
  })
})

describe('createLog', () => {
  test('one JSON line per entry: level, time, program, message and fields, from the level on', () => {
    const lines: string[] = []
    const log = createLog({ program: 'collector', level: 'info', destination: { write: (line) => lines.push(line) } })
    log.debug('hidden')
    log.with({ id: 'c1' }).warn('a line\nwith "quotes"', { bytes: 3, big: 2n, nothing: undefined })
    expect(lines.map((line) => line.endsWith('\n') && line.indexOf('\n') === line.length - 1)).toEqual([true])
    expect(JSON.parse(lines.join(''))).toEqual({
      level: 'warn',
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      program: 'collector',
      id: 'c1',
      bytes: 3,
      big: 2,
      message: 'a line\nwith "quotes"',
    })
  })

  test('fields that refer to themselves or throw do not break the program', () => {
    const lines: string[] = []
    const log = createLog({ program: 'x', level: 'debug', destination: { write: (line) => lines.push(line) } })
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    log.error('a circle', { circle })
    expect(JSON.parse(lines.join(''))).toMatchObject({ level: 'error', message: 'a circle' })
    collectingLog().error('a circle', { circle })
  })
})

describe('createMetrics', () => {
  test('counters, gauges and histograms in the text format, prefixed; each registry by itself', async () => {
    const metrics = createMetrics()
    const frames = metrics.counter('frames_total', 'frames taken')
    frames.add()
    frames.add(4)
    let backlog = 3
    metrics.gauge('backlog_bytes', 'what waits', () => backlog)
    metrics.histogram('fsync_seconds', 'fsync', [0.01, 0.1]).observe(0.05)
    backlog = 9
    const text = await metrics.text()
    for (const line of [
      'catchment_frames_total 5',
      'catchment_backlog_bytes 9',
      'catchment_fsync_seconds_bucket{le="0.1"} 1',
    ])
      expect(text.split('\n')).toContain(line)
    expect([frames.value, metrics.counters()]).toEqual([5, { frames_total: 5 }])
    expect(metrics.contentType).toContain('text/plain')
    expect(createMetrics().counter('frames_total', 'again').value).toBe(0)
  })
})
