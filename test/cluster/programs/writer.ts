// A program that logs: numbered lines with a checksum into one file, which is rotated by rename and create. Every
// generation stays on disk under its own name and is the truth that mirrors are compared with.

import { appendFileSync, closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'

export class Writer implements Disposable {
  readonly name: string
  /** The path that is followed. */
  readonly path: string
  readonly #directory: string
  readonly #rotated: string[] = []
  #file: number
  #sequence = 0

  constructor(directory: string, name: string) {
    this.#directory = directory
    this.name = name
    this.path = join(directory, `${name}.log`)
    this.#file = openSync(this.path, 'a')
  }

  /** Appends `count` lines in one write of some hundred bytes each. */
  append(count: number): void {
    let text = ''
    for (let i = 0; i < count; i += 1) text += this.#line()
    writeSync(this.#file, text)
  }

  /** Renames the file away and begins a new one, writing a last line to the old one after the rename. */
  rotate(): void {
    const away = join(this.#directory, `${this.name}.log.${this.#rotated.length + 1}`)
    renameSync(this.path, away)
    this.#rotated.push(away)
    appendFileSync(away, this.#line())
    closeSync(this.#file)
    this.#file = openSync(this.path, 'a')
  }

  [Symbol.dispose](): void {
    closeSync(this.#file)
  }

  /** The paths of all generations, the oldest first. */
  generations(): string[] {
    return [...this.#rotated, this.path]
  }

  #line(): string {
    this.#sequence += 1
    const body = `${this.name} ${this.#sequence} ${new Date().toISOString()} GET /things/${this.#sequence % 977} 200 ${'x'.repeat(this.#sequence % 190)}`
    return `${body} ${crc32(body).toString(16)}\n`
  }
}
