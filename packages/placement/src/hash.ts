/**
 * A 32-bit hash of a text's UTF-16 code units: FNV-1a (Fowler, Noll, Vo; offset basis 2166136261, prime 16777619, each
 * unit taken as two bytes), then the 32-bit finalizer of MurmurHash3 (Appleby), because FNV alone leaves texts that
 * differ only in their last characters close together, and on a ring close means the same owner.
 */
export function hash32(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  return mix32(hash)
}

/** The 32-bit finalizer of MurmurHash3: every bit of the input changes about half of the bits of the result. */
export function mix32(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
