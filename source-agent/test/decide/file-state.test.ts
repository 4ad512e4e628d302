import { describe, expect, test } from '@jest/globals'
import { fileTransitions, nextFileState, type FileState } from '../../src/decide/file-state.ts'
import { FollowedFile } from '../../src/files/followed-file.ts'

const states: FileState[] = ['live', 'rotated', 'deleted', 'over']
const pairs = states.flatMap((from) => states.map((to) => [from, to] as const))

const moves: Record<FileState, (file: FollowedFile) => void> = {
  live: (file) => {
    file.movedTo('/a.log')
  },
  rotated: (file) => {
    file.movedTo('/a.log.1')
  },
  deleted: (file) => {
    file.deleted()
  },
  over: (file) => {
    file.over()
  },
}

function fileThatIs(state: FileState): FollowedFile {
  const file = new FollowedFile({
    ...{ stream: 's', path: '/a.log', group: 'g', at: '/a.log', held: undefined, nowMs: 0 },
    ...{ offset: 10, tail: Buffer.alloc(0), sizeBytes: 10 },
    identity: { device: '1', inode: '2', bornNs: '0', headBytes: 0, headCrc: 0 },
  })
  if (state !== 'live') moves[state](file)
  return file
}

describe('the states of a followed file', () => {
  test.each(pairs)('%s → %s is done when the table has it, and throws when not', (from, to) => {
    const file = fileThatIs(from)
    const { at } = file
    const move = (): void => {
      moves[to](file)
    }
    if (fileTransitions[from].includes(to)) {
      move()
      expect(file.state).toBe(to)
      expect(nextFileState(from, to)).toBe(to)
    } else {
      expect(move).toThrow(`a file that is ${from} cannot become ${to}`)
      expect({ state: file.state, at: file.at }).toEqual({ state: from, at })
    }
  })

  test('every state can be reached, and all but the last left', () => {
    expect(states.filter((state) => fileTransitions[state].length === 0)).toEqual(['over'])
    for (const state of states.filter((other) => other !== 'live'))
      expect(Object.values(fileTransitions).flat()).toContain(state)
  })

  test('an offset never goes back, and a size never shrinks', () => {
    const file = fileThatIs('live')
    expect(() => {
      file.readTo({ offset: 9, tail: Buffer.alloc(0), inHole: false })
    }).toThrow('never goes back')
    file.holdsAtLeast(5)
    expect(file.sizeBytes).toBe(10)
  })
})
