import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  beginSupervision,
  nextDeadlineMs,
  supervise,
  type SupervisionDecision,
  type SupervisedProgram,
  type Supervision,
  type SupervisionEffect,
  type SupervisionEvent,
} from '../src/decide/supervision.ts'

const members: readonly SupervisedProgram[] = [
  { id: 'zookeeper', role: 'zookeeper' },
  { id: 'a1', role: 'assigner' },
  { id: 'c1', role: 'collector' },
  { id: 'c2', role: 'collector' },
  { id: 'host', role: 'agent' },
]

/** Supervision under a clock of its own; remembers what was to be done. */
class Story {
  now = 1_000
  state: Supervision
  effects: SupervisionEffect[] = []

  constructor() {
    const first = beginSupervision(members, this.now)
    this.state = first.state
    this.effects.push(...first.effects)
  }

  take(): string[] {
    const taken = this.effects.map((effect) => ('id' in effect ? `${effect.type} ${effect.id}` : effect.type))
    this.effects = []
    return taken
  }

  on(event: SupervisionEvent): this {
    const decision: SupervisionDecision = supervise(this.state, event, this.now)
    this.state = decision.state
    this.effects.push(...decision.effects)
    return this
  }

  ready(...ids: string[]): this {
    for (const id of ids) this.on({ type: 'ready', id })
    return this
  }

  exited(id: string): this {
    return this.on({ type: 'exited', id })
  }

  /** To the next deadline, and its tick. */
  wait(): this {
    this.now = nextDeadlineMs(this.state) ?? this.now
    return this.on({ type: 'tick' })
  }

  static up(): Story {
    const story = new Story().ready('zookeeper', 'a1', 'c1', 'c2', 'host')
    story.take()
    return story
  }
}

describe('the start', () => {
  test('goes from ZooKeeper to assigners and collectors, and to the agent once the assigner is ready', () => {
    const story = new Story()
    expect(story.take()).toEqual(['start zookeeper'])
    expect(story.ready('zookeeper').take()).toEqual(['announceReady zookeeper', 'start a1', 'start c1', 'start c2'])
    expect(story.ready('c1', 'a1').take()).toEqual(['announceReady c1', 'announceReady a1', 'start host'])
    expect(story.ready('host').take()).toEqual(['announceReady host'])
    expect(story.ready('c2').take()).toEqual(['announceReady c2', 'announceUp'])
  })

  test('fails as a whole when a program dies before it was ready, and ends what runs', () => {
    const story = new Story().ready('zookeeper', 'a1')
    story.take()
    expect(story.exited('c1').take()).toEqual(['fail c1', 'terminate host'])
    expect(story.exited('host').take()).toEqual(['terminate a1'])
    expect(story.exited('a1').exited('c2').exited('zookeeper').take()).toEqual([
      'terminate c2',
      'terminate zookeeper',
      'stopped',
    ])
  })

  test('fails after 30 s without all of them, naming the late one', () => {
    const story = new Story().ready('zookeeper', 'a1', 'c1', 'host')
    story.take()
    expect(story.wait().take()).toEqual(['fail c2', 'terminate host'])
    expect(story.now).toBe(31_000)
  })
})

describe('a death', () => {
  test('is announced and made good after 10 s, as often as it happens', () => {
    const story = Story.up()
    for (let round = 0; round < 3; round += 1) {
      const diedAt = story.now
      expect(story.exited('c1').take()).toEqual(['announceDeath c1'])
      expect(story.on({ type: 'tick' }).take()).toEqual([])
      expect(story.wait().take()).toEqual(['start c1'])
      expect(story.now - diedAt).toBe(10_000)
      expect(story.ready('c1').effects).toEqual([{ type: 'announceReady', id: 'c1', restart: true }])
      story.take()
    }
  })

  test('of a program that was started again and was not ready yet is a death like any other', () => {
    const story = Story.up().exited('c1').wait()
    story.take()
    expect(story.exited('c1').take()).toEqual(['announceDeath c1'])
    expect(story.wait().take()).toEqual(['start c1'])
  })

  test('of ZooKeeper starts ZooKeeper alone', () => {
    const story = Story.up().exited('zookeeper').wait()
    expect(story.take()).toEqual(['announceDeath zookeeper', 'start zookeeper'])
  })
})

describe('the end', () => {
  test('goes agent, assigner, collectors, ZooKeeper, each after the one before has ended', () => {
    const story = Story.up().on({ type: 'stop' })
    expect(story.take()).toEqual(['terminate host'])
    expect(story.exited('host').take()).toEqual(['terminate a1'])
    expect(story.exited('a1').take()).toEqual(['terminate c1', 'terminate c2'])
    expect(story.exited('c2').take()).toEqual([])
    expect(story.exited('c1').take()).toEqual(['terminate zookeeper'])
    expect(story.exited('zookeeper').take()).toEqual(['stopped'])
    expect(nextDeadlineMs(story.state)).toBeUndefined()
  })

  test('kills what stays, and is over within 8 s even if nothing ever ends', () => {
    const story = Story.up().on({ type: 'stop' })
    const beganAt = story.now
    story.take()
    expect(story.wait().take()).toEqual(['kill host'])
    expect(story.wait().take()).toEqual(['stopped'])
    expect(story.now - beganAt).toBeLessThan(8_000)
  })

  test('starts nothing that was dead, and a second wish to end changes nothing', () => {
    const story = Story.up().exited('c1').on({ type: 'stop' }).on({ type: 'stop' })
    story.exited('host').exited('c2').exited('a1').exited('zookeeper')
    expect(story.take().filter((effect) => effect.startsWith('start') || effect.endsWith(' c1'))).toEqual([
      'announceDeath c1',
    ])
  })
})

test('supervise: under any schedule no program runs twice, and a stop is over within 8 s', () => {
  const ids = members.map(({ id }) => id)
  const step = fc.oneof(
    fc.record({ type: fc.constant('ready' as const), id: fc.constantFrom(...ids) }),
    fc.record({ type: fc.constant('exited' as const), id: fc.constantFrom(...ids) }),
    fc.constant({ type: 'tick' as const }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(60), (steps, stopAt) => {
      const story = new Story()
      const running = new Set<string>()
      let stoppingSince: number | undefined
      const perform = (): void => {
        for (const effect of story.effects.splice(0)) {
          if (effect.type === 'start') {
            expect(running.has(effect.id)).toBe(false)
            expect(stoppingSince).toBeUndefined()
            running.add(effect.id)
          }
          if (effect.type === 'terminate' || effect.type === 'kill') expect(running.has(effect.id)).toBe(true)
          if (effect.type === 'fail') stoppingSince ??= story.now
        }
      }
      perform()
      for (const [index, event] of steps.entries()) {
        if (index === stopAt) {
          stoppingSince ??= story.now
          story.on({ type: 'stop' })
        } else if (event.type === 'tick') story.wait()
        else if (running.has(event.id)) {
          if (event.type === 'exited') running.delete(event.id)
          story.on(event)
        }
        perform()
      }
      stoppingSince ??= story.now
      story.on({ type: 'stop' })
      perform()
      for (let ticks = 0; story.state.phase.name !== 'stopped' && ticks < 20; ticks += 1) {
        story.wait()
        perform()
      }
      expect(story.state.phase.name).toBe('stopped')
      expect(story.now - stoppingSince).toBeLessThan(8_000)
    }),
  )
})
