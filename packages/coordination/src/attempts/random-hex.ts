import type { Random } from '@catchment/runtime'

/** 16 hex digits that no other attempt has: what is written with them is known again after a lost answer. */
export function randomHex(random: Random): string {
  return Buffer.from(random.bytes(8)).toString('hex')
}
