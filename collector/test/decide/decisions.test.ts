import { describe, expect, test } from '@jest/globals'
import { emptyCollectorList } from '@catchment/protocol'
import { admit, credit, type Admission } from '../../src/decide/admission.ts'
import { mayReplace } from '../../src/decide/fence.ts'
import { LoadMeter } from '../../src/decide/load.ts'
import { routeGroup } from '../../src/decide/routing.ts'

const report = { group: 'web', epoch: 1, offeredRecords: 10, overMs: 2000, backlogBytes: 50 }

describe('LoadMeter', () => {
  test('shows a burst at once, lets it decay, and ends at the slow average', () => {
    const meter = new LoadMeter(0)
    meter.offer('a', { ...report, offeredBytes: 20_000 }, 1000)
    meter.offer('b', { ...report, offeredBytes: 20_000 }, 1500)
    meter.tick(2000)
    expect(meter.groups()).toEqual([
      { group: 'web', load: { bytesPerSecond: 20_000, recordsPerSecond: 10 }, backlogBytes: 100, sources: 2 },
    ])
    meter.tick(22_000)
    expect(meter.total().bytesPerSecond).toBeCloseTo(10_000, -1)
    for (let now = 24_000; now <= 600_000; now += 2000) {
      meter.offer('a', { ...report, offeredBytes: 2000 }, now - 1)
      meter.tick(now)
    }
    expect(meter.total().bytesPerSecond).toBeCloseTo(1000, 0)
    expect(meter.groups()[0]?.sources).toBe(1)
  })

  test('forgets a group that is quiet for long, and one that left', () => {
    const meter = new LoadMeter(0)
    meter.offer('a', { ...report, offeredBytes: 1 }, 0)
    meter.tick(600_001)
    expect(meter.groups()).toEqual([])
    meter.offer('a', { ...report, offeredBytes: 1 }, 600_002)
    meter.forget('web')
    expect(meter.measured()).toEqual([])
  })
})

describe('routeGroup', () => {
  const list = {
    epoch: 7,
    owned: { mine: { since: 1, load: 0 } },
    lent: { away: { to: 'c2', since: 6, at: 1 } },
    borrowed: { guest: { from: 'c3', since: 5, at: 1 } },
    moved: { gone: { to: 'c4', epoch: 4, at: 1 } },
  }
  test.each([
    ['mine', 7, { kind: 'served' }],
    ['guest', 0, { kind: 'served' }],
    ['away', 7, { kind: 'elsewhere', epoch: 6, to: 'c2' }],
    ['gone', 7, { kind: 'elsewhere', epoch: 4, to: 'c4' }],
    ['unknown', 7, { kind: 'elsewhere', epoch: 7, to: undefined }],
    ['mine', 8, { kind: 'refresh', served: true }],
    ['gone', 8, { kind: 'refresh', served: false }],
    ['constructor', 7, { kind: 'elsewhere', epoch: 7, to: undefined }],
  ])('%s at epoch %i', (group, epoch, expected) => {
    expect(routeGroup(list, group, epoch)).toEqual(expected)
  })

  test('an empty list serves nothing', () => {
    expect(routeGroup(emptyCollectorList, 'web', 0).kind).toBe('elsewhere')
  })
})

describe('admit', () => {
  const room: Admission = {
    inFlightBytes: 50,
    inFlightBytesMax: 100,
    dataBytes: 500,
    dataBytesMax: 1000,
    noSpaceUntilMs: 10,
    open: true,
  }
  test.each([
    [undefined, 20, room, 411],
    ['12x', 20, room, 411],
    ['999999999', 20, room, 413],
    ['10', 20, { ...room, open: false }, 503],
    ['10', 5, room, 507],
    ['51', 20, room, 429],
    ['10', 20, { ...room, dataBytes: 945 }, 429],
    ['50', 20, room, 'read'],
  ])('content-length %s at %i', (length, now, state, expected) => {
    const admitted = admit(length, state, now)
    expect(admitted.kind === 'read' ? 'read' : admitted.status).toBe(expected)
  })

  test('credit is what memory and disk have left, never less than nothing', () => {
    expect(credit(room)).toBe(50)
    expect(credit({ ...room, dataBytes: 940 })).toBe(10)
    expect(credit({ ...room, dataBytes: 2000 })).toBe(0)
  })
})

describe('mayReplace', () => {
  const status = {
    id: 'c1',
    dataId: 'd',
    starts: 2,
    incarnation: 'i',
    url: 'http://x',
    zone: 'z',
    capacity: { bytesPerSecond: 1, recordsPerSecond: 1 },
    state: 'serving' as const,
    load: { bytesPerSecond: 0, recordsPerSecond: 0 },
    appliedEpoch: 0,
    reportedAt: 0,
  }
  test.each([
    [{ dataId: 'd', starts: 3, incarnation: 'j' }, true],
    [{ dataId: 'd', starts: 2, incarnation: 'i' }, true],
    [{ dataId: 'd', starts: 2, incarnation: 'j' }, false],
    [{ dataId: 'd', starts: 1, incarnation: 'j' }, false],
    [{ dataId: 'e', starts: 9, incarnation: 'j' }, false],
  ])('%j', (own, expected) => {
    expect(mayReplace(status, own)).toBe(expected)
    expect(mayReplace(undefined, own)).toBe(true)
  })
})
