import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { adoptFormerCursor, cursorPath, firstCursor, readCursor } from '../../src/delivery/cursor.ts'
import { listeningLog, quiet, temporary } from '../kit.ts'

let folder: Awaited<ReturnType<typeof temporary>>

beforeEach(async () => {
  folder = await temporary()
})
afterEach(() => folder.remove())

const names = async (): Promise<string[]> => (await readdir(folder.path, { recursive: true })).toSorted()
const former = (text: string): Promise<void> => writeFile(join(folder.path, 'cursor.json'), text)
const adopted = async (): ReturnType<typeof readCursor> => {
  await adoptFormerCursor(folder.path, 'mirror', quiet)
  return readCursor(cursorPath(folder.path, 'mirror'), quiet)
}

describe('adoptFormerCursor', () => {
  test('the one cursor of before becomes that of the sink, once', async () => {
    await former('{"segment":7,"offset":192}\n')
    expect(await adopted()).toEqual({ segment: 7, offset: 192 })
    expect(await names()).toEqual(['cursors', 'cursors/mirror.json'])
    expect(await readFile(cursorPath(folder.path, 'mirror'), 'utf8')).toBe('{"version":1,"segment":7,"offset":192}\n')
    expect(await adopted()).toEqual({ segment: 7, offset: 192 })
  })

  test('after a crash between writing the new and removing the old the new one counts', async () => {
    await former('{"segment":7,"offset":192}\n')
    await mkdir(join(folder.path, 'cursors'))
    await writeFile(cursorPath(folder.path, 'mirror'), '{"version":1,"segment":9,"offset":64}\n')
    expect(await adopted()).toEqual({ segment: 9, offset: 64 })
    expect(await names()).toEqual(['cursors', 'cursors/mirror.json'])
  })

  test('after a crash before the new one had its name the old one counts', async () => {
    await former('{"segment":7,"offset":192}\n')
    await mkdir(join(folder.path, 'cursors'))
    await writeFile(`${cursorPath(folder.path, 'mirror')}.tmp`, '{"version":1,"seg')
    expect(await adopted()).toEqual({ segment: 7, offset: 192 })
    expect(await names()).toEqual(['cursors', 'cursors/mirror.json'])
  })

  test('one that cannot be read is logged and left where it is; everything is delivered again', async () => {
    await former('{"segment":')
    const { log, lines } = listeningLog()
    await adoptFormerCursor(folder.path, 'mirror', log)
    expect(lines.join()).toMatch(/the cursor cannot be read/)
    expect(await adopted()).toEqual(firstCursor)
    expect(await names()).toEqual(['cursor.json'])
  })
})
