// What can happen to one log file and the agent that follows it, beside the plain model: a list of generations and what
// was written to each.

import { closeSync, copyFileSync, existsSync, openSync, renameSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { Scene } from './scene.ts'

interface Generation {
  content: string
  readonly fd: number
  /** Without a name: after a crash it cannot be found. */
  deleted?: boolean
}

export class Model {
  readonly scene: Scene
  readonly generations: Generation[] = []
  #serial = 0

  constructor(scene: Scene) {
    this.scene = scene
    this.#create()
  }

  get current(): Generation {
    const last = this.generations.at(-1)
    if (last === undefined) throw new Error('a model begins with a file')
    return last
  }

  write(generation: Generation, text: string): void {
    writeSync(generation.fd, text)
    generation.content += text
  }

  text(lines: number): string {
    return Array.from(
      { length: lines },
      () => `line ${(this.#serial += 1)} ${'z'.repeat((this.#serial * 37) % 200)}\n`,
    ).join('')
  }

  rotate(): void {
    for (let n = 8; n >= 1; n -= 1) if (existsSync(this.#path(n))) renameSync(this.#path(n), this.#path(n + 1))
    renameSync(this.scene.path('app.log'), this.#path(1))
    this.#create()
  }

  /** The same file, another generation; the old one is what it was. */
  truncated(): void {
    truncateSync(this.scene.path('app.log'), 0)
    this.generations.push({ content: '', fd: this.current.fd })
  }

  deleted(): void {
    rmSync(this.scene.path('app.log'))
    this.current.deleted = true
    this.#create()
  }

  async quiesce(): Promise<void> {
    await this.scene.arrives(
      'app.log',
      this.generations.map(({ content }) => content).filter((text) => text !== ''),
    )
  }

  /** Nothing is owed and the checkpoint is durable: from here on a truncation takes nothing with it. */
  async checkpointed(): Promise<void> {
    await this.quiesce()
    const settled = (): boolean => {
      const status = this.scene.agent?.status()
      return status?.['backlogBytes'] === 0 && status['checkpointsDurable'] === true
    }
    await this.scene.until(settled, 'a durable checkpoint')
  }

  close(): void {
    for (const fd of new Set(this.generations.map((generation) => generation.fd))) closeSync(fd)
  }

  #path(n: number): string {
    return this.scene.path(`app.log.${n}`)
  }

  #create(): void {
    this.generations.push({ content: '', fd: openSync(this.scene.path('app.log'), 'a') })
  }
}

export const commands: Record<string, (model: Model) => Promise<void> | void> = {
  append: (model) => {
    model.write(model.current, model.text(20))
  },
  'append much': (model) => {
    model.write(model.current, model.text(9000))
  },
  'append half a line': (model) => {
    model.write(model.current, 'half ')
  },
  rotate: (model) => {
    model.rotate()
  },
  'write late': (model) => {
    const before = model.generations.at(-2)
    if (before !== undefined && before.deleted !== true && before.fd !== model.current.fd)
      model.write(before, model.text(2))
  },
  /** All of it is stored; the checkpoint need not show it yet. */
  truncate: async (model) => {
    await model.quiesce()
    model.truncated()
    model.write(model.current, model.text(30))
  },
  copytruncate: async (model) => {
    await model.quiesce()
    copyFileSync(model.scene.path('app.log'), model.scene.path('app.log.copy'))
    model.truncated()
    model.write(model.current, model.text(3))
  },
  delete: async (model) => {
    model.write(model.current, model.text(1))
    await model.quiesce()
    model.write(model.current, model.text(5))
    model.deleted()
    model.write(model.current, model.text(1))
    await model.checkpointed()
  },
  crash: async (model) => {
    await model.scene.stop(0)
    await model.scene.start({ partialFlushMs: 60 })
  },
  restart: async (model) => {
    await model.scene.stop()
    await model.scene.start({ partialFlushMs: 60 })
  },
  'lose answers': (model) => {
    let left = 3
    model.scene.collectors[0].fault = () => ((left -= 1) >= 0 ? 'drop-answer' : 'none')
  },
  move: (model) => {
    model.scene.assigner.move(() => {
      const { routes } = model.scene.assigner
      const epoch = (routes.get('g')?.epoch ?? 1) + 1
      routes.set('g', { collector: model.scene.collectors[epoch % 2 === 0 ? 1 : 0], epoch })
    })
    const served = model.scene.assigner.routes.get('g')?.collector
    for (const collector of model.scene.collectors)
      collector.fault = () => (collector === served ? 'none' : 'misdirect')
  },
}

/** Plays a history from a file of five lines on. Rejects when a byte is missing, twice or foreign, or a loss is reported. */
export async function play(names: readonly string[]): Promise<void> {
  const scene = await Scene.open()
  const model = new Model(scene)
  try {
    model.write(model.current, model.text(5))
    await scene.start({ partialFlushMs: 60 })
    await model.quiesce()
    for (const name of names) await commands[name]?.(model)
    await model.quiesce()
    const problems = scene.collectors.flatMap((collector) => collector.problems)
    const lost = scene.messages('bytes are lost').length
    if (problems.length > 0 || lost > 0) throw new Error(`${lost} losses are reported; ${problems.join()}`)
  } finally {
    model.close()
    await scene.close()
  }
}
