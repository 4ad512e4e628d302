// What tests of arguments share: calls as JavaScript makes them, which no compiler has seen.

export const path = '/p'
export const run = (): void => undefined
export const pathRule =
  'path starts with "/", and no part of it is empty, ".", ".." or has a character that servers refuse'
export const belowRoot = `${pathRule}; and it is not "/"`
export const nameRule = 'is one part of a path: not empty, not "." or "..", without "/" and what servers refuse'
export const bytesRule = 'is bytes, a Uint8Array (text: Buffer.from(text))'
export const versionRule = 'version is "any" or a whole number from 0 below 2^31'

/** The function of this name, of the package or of an object of it, called with whatever is given. */
export function called(owner: object, name: string, ...args: readonly unknown[]): unknown {
  const named: unknown = Reflect.get(owner, name)
  if (typeof named !== 'function') throw new Error(`there is no ${name}`)
  return Reflect.apply(named, owner, args)
}

export type Row = readonly [name: string, args: readonly unknown[], message: string]
