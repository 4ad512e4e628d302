import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `await using directory = await tempDirectory()`, or remove it by hand in afterEach. */
export interface TempDirectory extends AsyncDisposable {
  readonly path: string
  remove(): Promise<void>
}

/** An empty directory of this test alone. */
export async function tempDirectory(): Promise<TempDirectory> {
  const path = await mkdtemp(join(tmpdir(), 'catchment-test-'))
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 })
  return { path, remove, [Symbol.asyncDispose]: remove }
}
