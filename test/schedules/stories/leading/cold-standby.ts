import { joinColdStandby, type RunningTask, type TaskEnd } from '@catchment/coordination/recipes'
import { FencedResource } from '../exclusion/holders.ts'
import type { Member } from '../../world/member.ts'
import type { Story, StoryWorld } from '../story.ts'

const path = '/groups/cold'
const tasksMax = 2
const names = ['t1', 't2', 't3', 't4', 't5']
/** Faults are over and healed: no one leaves any more. */
const calmMs = 46_000
/** A scan, the pause after a failure, and until somebody has made a removed task again. */
const idleMsMax = 12_000

interface Task {
  readonly resource: FencedResource
  readonly runners: Map<Member, RunningTask>
  ranAtMs: number
  /** The one of this name that was seen to run last, and those before it, which have ended. */
  definition: string | undefined
  readonly over: Set<string | undefined>
}

/** Which tasks run where, as their runs see it. */
class Tasks {
  readonly #world: StoryWorld
  readonly #tasks = new Map(
    names.map((name): [string, Task] => [
      name,
      { resource: new FencedResource(), runners: new Map(), ranAtMs: 0, definition: undefined, over: new Set() },
    ]),
  )
  #made = 0
  wrong: string | undefined

  constructor(world: StoryWorld) {
    this.#world = world
  }

  async run(member: Member, running: RunningTask): Promise<TaskEnd> {
    const { name, token } = running
    const task = this.#tasks.get(name)
    if (task === undefined) throw new Error(`there is no task ${name}`)
    member.note(`runs ${name}, ${token}`)
    if (task.runners.has(member)) this.wrong ??= `${member.name} runs ${name} twice`
    if (running.held && !member.deposed) this.#defined(task, running)
    task.runners.set(member, running)
    const count = [...this.#tasks.values()].filter(({ runners }) => runners.has(member)).length
    if (count > tasksMax) this.wrong ??= `${member.name} runs ${count} tasks`
    try {
      return await this.#act(member, running, task)
    } finally {
      task.runners.delete(member)
      member.note(`${name} ends, ${token}`)
    }
  }

  check(): void {
    if (this.wrong !== undefined) throw new Error(this.wrong)
    for (const [name, task] of this.#tasks) {
      const held = [...task.runners].filter(([member, { held }]) => member.awake && !member.deposed && held)
      if (held.length > 1) throw new Error(`${held.map(([member]) => member.name).join(' and ')} hold ${name}`)
      if (held.length > 0) task.ranAtMs = this.#world.nowMs()
    }
  }

  /** There is room for all: none is left alone for long when all is calm. */
  checkCalm(): void {
    for (const [name, { ranAtMs }] of this.#tasks)
      if (this.#world.nowMs() - ranAtMs > idleMsMax) this.wrong ??= `no one runs ${name} since ${ranAtMs}`
  }

  /** A task is made again only when the one of that name has ended: once another was seen, the one before never runs again. */
  #defined(task: Task, { name, definition }: RunningTask): void {
    const text = definition.toString()
    if (task.over.has(text)) this.wrong ??= `${name} ${text} runs, which has ended`
    if (text !== task.definition) task.over.add(task.definition)
    task.definition = text
  }

  /** Tasks that were done come again, under the same names: made by anyone, and another one each time. */
  async makeAnew(member: Member): Promise<void> {
    const name = names[Math.floor(member.random.float() * names.length)] ?? ''
    if (member.over()) return
    this.#made += 1
    const definition = Buffer.from(String(this.#made))
    await member.attempt('make a task', () =>
      member.session.create(`${path}/tasks/${name}`, definition, 'persistent', { timeoutMs: 1_000 }),
    )
  }

  async #act(member: Member, running: RunningTask, { resource }: Task): Promise<TaskEnd> {
    const untilMs = this.#world.nowMs() + 2_000 + member.random.float() * 8_000
    while (!running.signal.aborted && this.#world.nowMs() < untilMs) {
      await member.sleep(member.random.float() * 1_000)
      if (running.held && !resource.write(running.token) && !member.deposed)
        this.wrong ??= `${member.name} holds ${running.name} and is refused`
      if (member.over()) return 'release'
    }
    const dice = member.random.float()
    if (dice < 0.1) throw new Error('the task fails')
    return dice < 0.3 ? 'remove' : dice < 0.5 ? 'keep' : 'release'
  }
}

/**
 * No two that can act hold the same task at one instant, no member runs more than it may, who holds is never refused by what
 * it writes to; a task that has ended is not run again. When all is calm no task is left alone, and in the end no claim is left.
 */
export const coldStandbyStory: Story = {
  recipe: 'cold standby',
  members: 3,
  start: (world) => {
    const tasks = new Tasks(world)
    let over = false
    return {
      play: async (member) => {
        while (!member.over()) {
          const group = joinColdStandby(member.session, {
            path,
            id: member.name,
            tasksMax,
            run: (task) => tasks.run(member, task),
          })
          const untilMs = world.nowMs() + 4_000 + member.random.float() * 20_000
          while (!member.over() && (world.nowMs() < untilMs || untilMs > calmMs)) {
            await member.sleep(1_000)
            await tasks.makeAnew(member)
          }
          if (member.over() && !over) tasks.checkCalm()
          over ||= member.over()
          await member.attempt('leave', () => group.leave())
        }
      },
      check: () => {
        tasks.check()
      },
      end: async (outside) => {
        const { names: claims } = await outside.children(`${path}/claims`)
        if (claims.length > 0) throw new Error(`claims left behind: ${claims.join(', ')}`)
      },
    }
  },
}
