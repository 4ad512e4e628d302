import { describe, expect, test } from '@jest/globals'
import type { CollectorStatus } from '@catchment/protocol'
import { CollectorMembership, type ReadStatus } from '../../src/tree/decide/membership.ts'
import { statusOf } from '../simulated-tree.ts'

const options = { reportIntervalMs: 2_000, sessionTimeoutMs: 4_000 }

/** Statuses that are rewritten at every look, unless `stuck`. */
class Watch {
  readonly membership = new CollectorMembership(options)
  readonly statuses = new Map<string, CollectorStatus>()
  readonly stuck = new Set<string>()
  readonly #revisions = new Map<string, number>()
  nowMs = 0

  constructor(...ids: string[]) {
    this.membership.resume(0)
    for (const id of ids) this.statuses.set(id, statusOf(id))
  }

  look(afterMs = 0, owners: readonly string[] = []): string[] {
    this.nowMs += afterMs
    const read = new Map<string, ReadStatus>()
    for (const [id, status] of this.statuses) {
      if (!this.stuck.has(id)) this.#revisions.set(id, this.nowMs)
      read.set(id, { status, revision: String(this.#revisions.get(id)) })
    }
    return [...this.membership.observe(read, new Set(owners), this.nowMs)]
  }

  get living(): string[] {
    return [...this.membership.living].sort()
  }
}

describe('Membership', () => {
  test('a status counts as gone when absent, stopping, or not rewritten for three report intervals', () => {
    const watch = new Watch('c1', 'c2', 'c3')
    watch.look()
    expect(watch.living).toEqual(['c1', 'c2', 'c3'])
    watch.statuses.delete('c1')
    watch.statuses.set('c2', statusOf('c2', { state: 'stopping' }))
    watch.stuck.add('c3')
    watch.look(5_999)
    expect(watch.living).toEqual(['c3'])
    watch.look(1)
    expect(watch.living).toEqual([])
  })

  test('no one is late because the leader was away from ZooKeeper', () => {
    const watch = new Watch('c1')
    watch.look()
    watch.stuck.add('c1')
    watch.nowMs += 60_000
    watch.membership.resume(watch.nowMs)
    watch.look(1)
    expect(watch.living).toEqual(['c1'])
  })

  test('a refused port is gone until it answers, or a newer incarnation writes the status', () => {
    const watch = new Watch('c1', 'c2')
    watch.look()
    watch.membership.refused('c1', watch.nowMs)
    watch.membership.refused('c2', watch.nowMs)
    watch.look(1)
    expect(watch.living).toEqual([])
    watch.membership.answered('c1', watch.nowMs)
    watch.statuses.set('c2', statusOf('c2', { incarnation: 'two' }))
    watch.look(1)
    expect(watch.living).toEqual(['c1', 'c2'])
  })

  test('who owns and was never seen is awaited for one session timeout, and no longer', () => {
    const watch = new Watch('c1')
    expect(watch.look(0, ['c1', 'c2'])).toEqual(['c2'])
    expect(watch.look(4_000, ['c1', 'c2'])).toEqual([])
  })

  test('three of four within a session timeout freeze; enough returning thaws', () => {
    const watch = new Watch('c1', 'c2', 'c3', 'c4')
    const owners = ['c1', 'c2', 'c3', 'c4']
    watch.look(0, owners)
    watch.statuses.delete('c1')
    watch.statuses.delete('c2')
    watch.look(100, owners)
    expect(watch.membership.frozen).toBeUndefined()
    watch.statuses.delete('c3')
    watch.look(3_000, owners)
    expect([...(watch.membership.frozen?.missing ?? [])].sort()).toEqual(['c1', 'c2', 'c3'])
    watch.look(600_000, owners)
    expect(watch.membership.frozen).toBeDefined()
    watch.statuses.set('c1', statusOf('c1'))
    watch.look(1, owners)
    expect(watch.membership.frozen).toBeUndefined()
  })

  test('a small cluster, and deaths that are far apart, never freeze', () => {
    const small = new Watch('c1', 'c2')
    small.look()
    small.statuses.clear()
    small.look(1)
    expect(small.membership.frozen).toBeUndefined()
    const slow = new Watch('c1', 'c2', 'c3', 'c4')
    slow.look()
    for (const id of ['c1', 'c2', 'c3']) {
      slow.statuses.delete(id)
      slow.look(5_000)
    }
    expect(slow.membership.frozen).toBeUndefined()
  })

  test('a leader that finds most owners missing freezes too; an operator thaws for good', () => {
    const watch = new Watch('c1')
    watch.look(0, ['c1', 'c2', 'c3', 'c4'])
    watch.look(4_000, ['c1', 'c2', 'c3', 'c4'])
    expect(watch.membership.frozen?.missing.size).toBe(3)
    watch.membership.thaw()
    watch.look(1, ['c1', 'c2', 'c3', 'c4'])
    expect(watch.membership.frozen).toBeUndefined()
  })

  test('a port that refuses and answers in turn moves its groups ever more seldom, not at every poll', () => {
    const watch = new Watch('c1', 'c2')
    watch.look()
    let flaps = 0
    for (let poll = 0; poll < 1_800; poll += 1) {
      const before = watch.living.includes('c1')
      if (poll % 2 === 0) watch.membership.refused('c1', watch.nowMs)
      else watch.membership.answered('c1', watch.nowMs)
      watch.look(2_000)
      if (before !== watch.living.includes('c1')) flaps += 1
    }
    expect(flaps).toBeLessThan(20)
    for (let poll = 0; poll < 300; poll += 1) {
      watch.membership.answered('c1', watch.nowMs)
      watch.look(2_000)
    }
    expect(watch.living).toEqual(['c1', 'c2'])
  })

  test('a freeze ends when those who are missing own nothing any more: another assigner has thawed it', () => {
    const watch = new Watch('c1', 'c2', 'c3', 'c4')
    const owners = ['c1', 'c2', 'c3', 'c4']
    watch.look(0, owners)
    for (const id of ['c1', 'c2', 'c3']) watch.statuses.delete(id)
    watch.look(100, owners)
    expect(watch.membership.frozen).toBeDefined()
    watch.look(100, ['c4'])
    expect(watch.membership.frozen).toBeUndefined()
  })
})
