// Is the file that lies here still the file that was read? Inodes are reused, files are truncated and grow again,
// copied and moved to other devices; so three things are compared: the inode with its time of birth, the head (checksum
// of the first bytes, as many as were known) and the tail marker (the bytes just before the offset).

export interface FileIdentity {
  /** Device and inode in decimal digits: inodes pass 2^53. */
  readonly device: string
  readonly inode: string
  /** Nanoseconds; `0` where the file system does not know. */
  readonly bornNs: string
  /** How many bytes of the head the checksum covers; grows up to `headBytesMax`. */
  readonly headBytes: number
  readonly headCrc: number
}

export interface ObservedFile {
  readonly device: string
  readonly inode: string
  readonly bornNs: string
  readonly sizeBytes: number
  /** Whether the first `headBytes` bytes have the known checksum, and the bytes before the offset are the known ones. */
  readonly headMatches: boolean
  readonly tailMatches: boolean
}

/**
 * - `same`: go on at the offset.
 * - `truncated`: the same file with another content: a new generation, from 0.
 * - `moved`: another inode with the known content (copied, restored, remounted): go on at the offset there.
 * - `other`: another file: a new generation, from 0.
 */
export type IdentityVerdict = 'same' | 'truncated' | 'moved' | 'other'

export const headBytesMax = 1024
/** A shorter head says too little to recognise a file that changed its inode by. */
export const headBytesToMove = 64

/** The verdict on `looked`, when `offset` bytes of `known` have been read. */
export function judge(known: FileIdentity, offset: number, looked: ObservedFile): IdentityVerdict {
  const contentMatches = looked.sizeBytes >= offset && looked.headMatches && looked.tailMatches
  if (sameInode(known, looked)) return contentMatches ? 'same' : 'truncated'
  const wholeKnown = known.headBytes > 0 && known.headBytes >= offset && looked.sizeBytes === known.headBytes
  return contentMatches && (known.headBytes >= headBytesToMove || wholeKnown) ? 'moved' : 'other'
}

export function sameInode(
  known: Pick<FileIdentity, 'device' | 'inode' | 'bornNs'>,
  looked: Pick<FileIdentity, 'device' | 'inode' | 'bornNs'>,
): boolean {
  const bornMatches = known.bornNs === '0' || looked.bornNs === '0' || known.bornNs === looked.bornNs
  return known.device === looked.device && known.inode === looked.inode && bornMatches
}

/** `app.log` → `app.log.1`, `app.log-20260101`, `app-2026.log`, …: a name that rotation may give. Base names. */
export function looksRotated(name: string, of: string): boolean {
  if (name === of || /\.(gz|xz|zst|bz2|lz4|tmp|swp)$/.test(name)) return false
  if (name.startsWith(of)) return /^[.\-_~]/.test(name.slice(of.length))
  const dot = of.lastIndexOf('.')
  const stem = dot > 0 ? of.slice(0, dot) : of
  const extension = dot > 0 ? of.slice(dot) : ''
  return (
    extension !== '' && name.startsWith(stem) && name.endsWith(extension) && /^[.\-_]?\d/.test(name.slice(stem.length))
  )
}

/** A rotated name that says which: with a number or a date, not `app.log.copy` or `app.log.old`. */
export function looksNumbered(name: string, of: string): boolean {
  if (!looksRotated(name, of)) return false
  return name.startsWith(of) ? /\d/.test(name.slice(of.length)) : true
}
