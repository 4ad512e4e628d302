import { getCompileCacheDir } from 'node:module'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'

/**
 * A thread that runs one of our files. Of the environment it gets only where compiled code is kept: without it every thread
 * would load Node's TypeScript loader, which takes it twice the time to start and twice the memory for as long as it lives.
 */
export function startThread(file: URL, workerData?: unknown): Worker {
  const cache = getCompileCacheDir() // that of this version of Node; a thread finds its way there by itself
  return new Worker(file, { workerData, env: cache === undefined ? {} : { NODE_COMPILE_CACHE: dirname(cache) } })
}
