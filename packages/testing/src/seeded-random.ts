import { mix32 } from '@catchment/hashing'
import type { Random } from '@catchment/runtime'

/**
 * Randomness that repeats from `seed` (any whole number; its low 32 bits count).
 * Source: xoshiro128** 1.1, D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", 2018; its
 * state is filled by SplitMix (Steele, Lea and Flood, 2014) with the 32-bit finaliser of MurmurHash3.
 */
export function seededRandom(seed: number): Random {
  const next = xoshiro128(seed)
  return {
    float: () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53,
    bytes: (length) => Uint8Array.from({ length }, () => next() >>> 24),
  }
}

function xoshiro128(seed: number): () => number {
  const fill = splitMix(seed)
  let a = fill()
  let b = fill()
  let c = fill()
  let d = fill()
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotateLeft(d, 11)
    return result >>> 0
  }
}

function splitMix(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    return mix32(state) | 0
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
