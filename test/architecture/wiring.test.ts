import { describe, expect, test } from '@jest/globals'
import { parsed, sources } from './sources.ts'
import { backwardWiring } from './wiring.ts'

/** The files in which programs and their larger parts are put together. */
const roots = sources.filter((path) =>
  /(^|\/)(agent|assigner|collector|store|program|supervisor|command|server)\.ts$/.test(path),
)

/** How many places of a root still run backwards, and why they may. The list only shrinks. */
const stillBackward = new Map<string, { readonly places: number; readonly why: string }>([])

const found = (text: string): string[] => backwardWiring(parsed('sample.ts', text))

describe('programs are put together from the bottom up', () => {
  test('no root hands on a function that reaches a part made later, or fills a variable later', () => {
    expect(roots.length).toBeGreaterThanOrEqual(5)
    for (const path of roots) {
      const places = backwardWiring(parsed(path))
      const listed = stillBackward.get(path)?.places ?? 0
      expect([path, places.length === listed ? 'as listed' : places]).toEqual([path, 'as listed'])
    }
    expect([...stillBackward.keys()].filter((path) => !roots.includes(path))).toEqual([])
  })

  test.each([
    ['class A { #b: B; constructor() { this.#a = new C(() => this.#b); this.#b = new B() } }', ['reads this.#b']],
    ['class A { #b: B | undefined; start() { f({ get: () => this.#b?.c.d ?? 1 }) } }', ['reads this.#b']],
    [
      'class A { readonly #b: B; constructor() { f((x) => { this.#b.add(x) }); this.#b = new B() } }',
      ['reads this.#b'],
    ],
    ['function start() { const a = new A(() => b.size()); const b = new B() }', ['reads b']],
    ['function start() { let b: B | undefined = undefined; const a = new A(); b = a }', ['filled later']],
    ['async function start() { let b: B | undefined; b = await open() }', ['filled later']],
  ])('finds what runs backwards: %s', (text, expected) => {
    expect(found(text)).toEqual(expected.map((what) => expect.stringContaining(`(${what})`)))
  })

  test.each([
    'class A { readonly #b: B; constructor() { this.#b = new B(); this.#a = new C(this.#b) } }',
    'class A { #b: B | undefined; start() { metrics.gauge("b", "how many", () => this.#b?.size ?? 0) } }',
    'class A { #state: "on" | "off" = "on"; start() { f(() => this.#state) } }',
    'function start() { const b = new B(); const a = new A((x) => b.add(x)) }',
    'function start() { const a = f((b) => b.size); const b = 1 }',
    'function start() { let count = 0; let failure: Error | undefined; count += 1 }',
  ])('finds nothing in: %s', (text) => {
    expect(found(text)).toEqual([])
  })
})
