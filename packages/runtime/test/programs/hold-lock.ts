// Holds the lock of a directory, or of a file, until it is killed: for directory-lock.test.ts.

import { lockDirectory, withFileLock } from '../../src/files/directory-lock.ts'

const [, , kind = '', path = ''] = process.argv
if (kind === 'directory') {
  await lockDirectory(path, 'collector c1')
  console.log('locked')
  setInterval(() => undefined, 60_000)
} else
  withFileLock(path, 0, () => {
    console.log('locked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
