// All are FNV-1a (Fowler, Noll, Vo), against accidents and not against attackers; they differ in what they read of a text.
// There are several because their values stand in names and owners that exist already: each stays as it is.

const offsetBasis32 = 0x811c9dc5
const prime32 = 0x01000193

/** FNV-1a of the UTF-8 bytes, 32 bits. Shards of groups stand on it. */
export function fnv1a32(text: string): number {
  let hash = offsetBasis32
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, prime32)
  return hash >>> 0
}

/**
 * FNV-1a of the UTF-8 bytes, 64 bits, as 16 hexadecimal digits. Names that were cut end in it. In two halves of 32 bits: the
 * prime is 2⁴⁰ + 0x1b3, and BigInt is thirty times slower.
 */
export function fnv1a64(text: string): string {
  let high = 0xcbf29ce4
  let low = 0x84222325
  for (const byte of Buffer.from(text)) {
    const xored = (low ^ byte) >>> 0
    const product = xored * 0x1b3
    low = product % 2 ** 32
    high = (high * 0x1b3 + xored * 256 + (product - low) / 2 ** 32) % 2 ** 32
  }
  return [high, low].map((half) => half.toString(16).padStart(8, '0')).join('')
}

/**
 * FNV-1a of the UTF-16 code units, each taken as two bytes, 32 bits, then mixed: FNV alone leaves texts that differ only in
 * their last characters close together, and on a ring close means the same owner. The order of groups and the weighted ring
 * stand on it.
 */
export function hash32(text: string): number {
  let hash = offsetBasis32
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    hash = Math.imul(hash ^ (unit & 0xff), prime32)
    hash = Math.imul(hash ^ (unit >>> 8), prime32)
  }
  return mix32(hash)
}

/** As hash32, each code unit taken at once. The stable division stands on it. */
export function unitHash32(text: string): number {
  let hash = offsetBasis32
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), prime32)
  return mix32(hash)
}

/** The 32-bit finalizer of MurmurHash3 (Appleby): every bit of the input changes about half of the bits of the result. */
export function mix32(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
