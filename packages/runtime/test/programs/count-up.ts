// Adds one to the number in a file, so many times, under a lock: for directory-lock.test.ts. Without the lock, counts
// get lost.

import { readFileSync, writeFileSync } from 'node:fs'
import { withFileLock } from '../../src/files/directory-lock.ts'

const [, , path = '', times = '0'] = process.argv
for (let turn = 0; turn < Number(times); turn += 1)
  withFileLock(`${path}.lock`, 20_000, () => {
    writeFileSync(path, String(Number(readFileSync(path, 'utf8')) + 1))
  })
