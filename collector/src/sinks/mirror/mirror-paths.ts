// Where a stream's file stands in the mirror: `<group parts>/<source>/<path parts>~<stream id>`. What stands in group,
// source and path comes from outside; it becomes names of files, never a way out of the mirror.

import { createHash } from 'node:crypto'
import { mkdir, lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { encodePathPart, type FrameHeader } from '@catchment/protocol'
import { CatchmentError, codeOf, syncDirectory } from '@catchment/runtime'

/** Past it the directories of a path are replaced by a hash of them: the system takes 4,096 bytes in all. */
const relativeBytesMax = 2000

export interface MirrorPlace {
  /** Below the mirror's root, the outermost first. */
  readonly directories: readonly string[]
  readonly name: string
}

export function mirrorPlace(header: Pick<FrameHeader, 'group' | 'source' | 'path' | 'stream'>): MirrorPlace {
  const parts = header.path.split('/').filter((part) => part !== '')
  const last = parts.pop() ?? ''
  const name = `${last === '' ? '%2F' : encodePathPart(last)}~${header.stream}`
  const above = [...header.group.split('/'), header.source].map(encodePathPart)
  const directories = [...above, ...parts.map(encodePathPart)]
  if (join(...directories, name).length <= relativeBytesMax) return { directories, name }
  const hash = createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 16)
  return { directories: [...above, `~${hash}`], name }
}

/**
 * Makes the directories of a place below `root`, 0700, and returns the innermost. Throws CatchmentError `unsafe-path` when
 * one of them is a link or no directory. Node has no openat(2): between this look and the opening of the file (which
 * follows no link itself) another process that may write the mirror could still exchange a directory.
 */
export async function makeDirectories(root: string, place: MirrorPlace): Promise<string> {
  let directory = root
  for (const part of place.directories) {
    const parent = directory
    directory = join(parent, part)
    try {
      await mkdir(directory, { mode: 0o700 })
      await syncDirectory(parent)
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST') throw thrown
      const found = await lstat(directory)
      if (!found.isDirectory())
        throw new CatchmentError(
          'unsafe-path',
          `refused to write below ${directory}: it must be a directory and is a link or a file; remove it`,
          { blame: 'operator' },
        )
    }
  }
  return directory
}
