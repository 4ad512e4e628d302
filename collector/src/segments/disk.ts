// What the segment log needs of a disk: small enough that a test can stand in for one that withholds an fdatasync, is full,
// or fails. Sinks do not use it.

import { constants } from 'node:fs'
import { open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { syncDirectory } from '@catchment/runtime'

export interface DiskFile {
  /** One vectored write. Resolves with the bytes written: fewer than given when the disk is full. */
  writev(buffers: readonly Buffer[], position: number): Promise<number>
  /** Fills `buffer` from `position`. Resolves with the bytes read: fewer only at the end of the file. */
  read(buffer: Buffer, position: number): Promise<number>
  fdatasync(): Promise<void>
  truncate(bytes: number): Promise<void>
  bytes(): Promise<number>
  close(): Promise<void>
}

export interface Disk {
  /** Names in a directory. */
  list(directory: string): Promise<string[]>
  /** A new file, mode 0600; fails when it exists. */
  create(path: string): Promise<DiskFile>
  /** An existing file, for reading and writing. */
  open(path: string): Promise<DiskFile>
  remove(path: string): Promise<void>
  /** Makes created and removed names durable. */
  syncDirectory(path: string): Promise<void>
}

export const realDisk: Disk = {
  list: (directory) => readdir(directory),
  create: async (path) =>
    fileOn(await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)),
  open: async (path) => fileOn(await open(path, constants.O_RDWR | constants.O_NOFOLLOW)),
  remove: (path) => rm(path),
  syncDirectory,
}

function fileOn(handle: FileHandle): DiskFile {
  return {
    writev: async (buffers, position) => (await handle.writev(buffers, position)).bytesWritten,
    read: async (buffer, position) => {
      let filled = 0
      while (filled < buffer.length) {
        const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled)
        if (bytesRead === 0) break
        filled += bytesRead
      }
      return filled
    },
    fdatasync: () => handle.datasync(),
    truncate: (bytes) => handle.truncate(bytes),
    bytes: async () => (await handle.stat()).size,
    close: () => handle.close(),
  }
}
