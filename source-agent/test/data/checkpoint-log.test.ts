import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { createLog, realClock } from '@catchment/runtime'
import { openCheckpointLog, type CheckpointLog } from '../../src/data/checkpoint-log.ts'
import { encodeLine, replay, type StreamRecord } from '../../src/data/checkpoint-record.ts'

const log = createLog({ program: 'agent', level: 'error', destination: { write: () => undefined } })
const idOf = (n: number): string => n.toString(16).padStart(32, '0')
const record = (n: number): StreamRecord => ({
  ...{
    stream: idOf(n),
    path: `/l/${n}.log`,
    at: `/l/${n}.log`,
    group: 'g',
    checkpoint: n,
    sizeBytes: 2 * n,
    doubts: [],
  },
  identity: { device: '1', inode: `${n}`, bornNs: '0', headBytes: 0, headCrc: 0 },
  mark: { bytes: 0, crc: 0 },
})

let directory = ''
const open = (): Promise<CheckpointLog> => openCheckpointLog(directory, realClock, log)
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'checkpoints-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('the checkpoint log', () => {
  test('holds the last word on every stream after it is opened again', async () => {
    const first = await open()
    await Promise.all([first.put(record(1)), first.put(record(2)), first.put(record(3))])
    first.advance(idOf(1), { checkpoint: 77, mark: { bytes: 3, crc: 5 }, sizeBytes: 90 })
    first.forget(idOf(3))
    await first.flush()
    await first.close()
    const second = await open()
    expect(second.records.get(idOf(1))).toMatchObject({ checkpoint: 77, sizeBytes: 90 })
    expect([...second.records.keys()]).toEqual([idOf(1), idOf(2)])
    await second.close()
  })

  test('keeps all whole lines, torn at every byte', () => {
    const lines = [1, 2, 3].map((n) => encodeLine({ kind: 'stream', record: record(n) }))
    const whole = Buffer.from(lines.join(''))
    for (let cut = 0; cut <= whole.length; cut += 1) {
      const { records, damaged } = replay(whole.subarray(0, cut))
      const before = lines.findIndex((_, n) => lines.slice(0, n + 1).join('').length - 1 > cut)
      expect(records.size).toBe(before < 0 ? 3 : before)
      expect(damaged).toBeLessThanOrEqual(1)
    }
  })

  test('loses one line to one flipped byte, and counts it', () => {
    const whole = Buffer.from([1, 2, 3].map((n) => encodeLine({ kind: 'stream', record: record(n) })).join(''))
    for (let at = 0; at < whole.length; at += 7) {
      const bytes = Buffer.from(whole)
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0x55, at)
      const { records, damaged } = replay(bytes)
      expect(records.size).toBeGreaterThanOrEqual(1)
      expect(records.size + damaged).toBeGreaterThanOrEqual(2)
      expect(damaged).toBeGreaterThanOrEqual(1)
    }
  })

  test('goes on after a torn and zeroed tail', async () => {
    const first = await open()
    await first.put(record(1))
    await first.close()
    await appendFile(
      join(directory, 'checkpoints.log'),
      `${encodeLine({ kind: 'stream', record: record(2) }).slice(0, 40)}\0\0\0`,
    )
    const second = await open()
    expect(second.damaged).toBe(1)
    await second.put(record(3))
    await second.close()
    const third = await open()
    expect([...third.records.keys()]).toEqual([idOf(1), idOf(3)])
    await third.close()
  })

  test('stays small however often checkpoints advance, and ignores what a compaction left', async () => {
    await writeFile(join(directory, 'checkpoints.log.tmp'), 'half of a compaction')
    const long = await open()
    await long.put(record(1))
    for (let n = 0; n < 60_000; n += 1) {
      long.advance(idOf(1), { checkpoint: n, mark: { bytes: 0, crc: 0 }, sizeBytes: n })
      if (n % 2 === 0) long.forget(idOf(9))
      if (n % 600 === 0) await long.put({ ...record(2), path: `/${'x'.repeat(60_000)}` })
    }
    await long.flush()
    await long.close()
    expect((await readFile(join(directory, 'checkpoints.log'))).length).toBeLessThan(5 * 1024 * 1024)
    const again = await open()
    expect(again.records.get(idOf(1))?.checkpoint).toBe(59_999)
    await again.close()
  })
})
