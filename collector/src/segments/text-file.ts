import { readFile } from 'node:fs/promises'
import { codeOf } from '@catchment/runtime'

/** A file's text; undefined where there is no such file. */
export async function textIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}
