// Compiling is half of a program's start, so its `main.ts` opens the cache of compiled code before it loads anything else:
// this file is a face of its own (`@catchment/runtime/compile-cache`) and imports nothing of ours.

import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** Opens the cache below the user's home, for code must not come from where others may write. Without one Node compiles. */
export function openCompileCache(): void {
  enableCompileCache(join(homedir(), '.cache', 'catchment', 'compiled'))
}
