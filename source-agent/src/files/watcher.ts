// chokidar gives hints, never truth: trailing writes are throttled away and queue overflows are silent, so whatever it
// says or does not say, the reconcile loop looks by itself. Two cheap shapes are used and no other, for in inotify mode
// chokidar reads a whole directory again upon every write to any file in it:
//  - directories alone, polled, for what appears and vanishes;
//  - the few files that are being written, each by its own path, for the unthrottled `raw` event.

import { watch, type FSWatcher } from 'chokidar'

export interface Watcher {
  /** Watches these paths of files that are written now, and no others. At most `hotFilesMax`; the rest are only polled. */
  setHotFiles(paths: readonly string[]): void
  close(): Promise<void>
}

export const hotFilesMax = 256
const directoryPollMs = 1000

export interface WatcherHints {
  /** A file or directory appeared or vanished: scan soon. */
  readonly structure: () => void
  /** The file at `path` was written, moved or removed: look now. */
  readonly file: (path: string) => void
  readonly failed: (error: unknown) => void
}

export function startWatcher(directories: readonly string[], hints: WatcherHints): Watcher {
  const structure = watch([...directories], {
    usePolling: true,
    interval: directoryPollMs,
    ignored: (_path, stats) => stats?.isFile() === true,
    ignoreInitial: true,
    atomic: false,
    awaitWriteFinish: false,
    followSymlinks: false,
    depth: 8,
  })
  structure.on('addDir', hints.structure).on('unlinkDir', hints.structure).on('raw', hints.structure)
  structure.on('error', hints.failed)
  const hot = new Map<string, FSWatcher>()
  return {
    setHotFiles(paths) {
      const wanted = new Set(paths.slice(0, hotFilesMax))
      for (const [path, watcher] of hot)
        if (!wanted.has(path)) {
          hot.delete(path)
          watcher.close().catch(hints.failed)
        }
      for (const path of wanted) if (!hot.has(path)) hot.set(path, watchFile(path, hints))
    },
    async close() {
      await Promise.all([structure.close(), ...[...hot.values()].map((watcher) => watcher.close())])
    },
  }
}

function watchFile(path: string, hints: WatcherHints): FSWatcher {
  const watcher = watch(path, { ignoreInitial: true, atomic: false, awaitWriteFinish: false, followSymlinks: true })
  watcher.on('raw', () => {
    hints.file(path)
  })
  return watcher.on('error', hints.failed)
}
