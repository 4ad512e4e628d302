import { randomBytes } from 'node:crypto'

/** A source of randomness: the machine's, or one that repeats from a seed. */
export interface Random {
  /** A number in [0, 1). */
  float(): number
  /** `length` random bytes. */
  bytes(length: number): Uint8Array
}

export const realRandom: Random = {
  float: () => Math.random(),
  bytes: (length) => randomBytes(length),
}
