import { describe, expect, test } from '@jest/globals'
import { assert, constantFrom, property, string } from 'fast-check'
import { jobId } from '../src/index.ts'
import { parseJob, queueName } from '../src/job.ts'
import { job } from './suite/opening.ts'

const names = string({ minLength: 1, unit: constantFrom('a', '7', '0', ':', '.', '-', '{', '}', '%', '/', 'ü') })

describe('jobId', () => {
  test('is what BullMQ takes, whatever the sink is called: no colon, not digits only', () => {
    expect(jobId(job(3))).toBe('es-7-300-400')
    assert(
      property(names, (sink) => {
        const id = jobId(job(0, sink))
        expect(id).not.toMatch(/:|^\d+$/)
      }),
    )
  })

  test('differs for different sinks, and does not depend on the version', () => {
    assert(
      property(names, names, (one, other) => {
        expect(jobId(job(0, one)) === jobId(job(0, other))).toBe(one === other)
      }),
    )
    expect(jobId({ ...job(0), version: 2 })).toBe(jobId(job(0)))
  })
})

describe('queueName', () => {
  test('is one hash tag without a colon, and differs for different collectors and sinks', () => {
    assert(
      property(names, names, names, names, (collector, sink, otherCollector, otherSink) => {
        const name = queueName(collector, sink)
        expect(name).toMatch(/^\{[^{}:]+\}$/)
        const same = collector === otherCollector && sink === otherSink
        expect(name === queueName(otherCollector, otherSink)).toBe(same)
      }),
    )
  })
})

describe('parseJob', () => {
  test('takes what add stores and nothing else', () => {
    expect(parseJob(JSON.parse(JSON.stringify(job(1))))).toEqual(job(1))
    for (const foreign of [undefined, null, 'x', {}, { ...job(1), from: -1 }, { ...job(1), segment: '7' }])
      expect(parseJob(foreign)).toBeUndefined()
  })
})
