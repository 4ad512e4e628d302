import { describe, expect, test } from '@jest/globals'
import ts from 'typescript'
import { textOf, files } from './house.ts'
import { parsed, walk } from './sources.ts'

const heading = '## The way of a line, in code'

/** The items of the list: "1. `Store.put` — `collector/src/store.ts`: …". */
function stepsOf(page: string): { line: string; name: string; file: string }[] {
  const [, section = ''] = page.split(`${heading}\n`)
  const [list = ''] = section.split(/^## /m)
  return list.split('\n').flatMap((line) => {
    if (!/^\d+\. /.test(line)) return []
    const match = /^\d+\. `([\w.#]+)` — `([\w./-]+)`: \S/.exec(line)
    return [{ line, name: match?.[1] ?? '', file: match?.[2] ?? '' }]
  })
}

/** Functions and classes by their names, and methods as `Class.method`. */
function declarationsIn(file: ts.SourceFile): Set<string> {
  const names = new Set<string>()
  walk(file, (node) => {
    if ((ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node)) && node.name !== undefined)
      names.add(node.name.text)
    if (ts.isMethodDeclaration(node) && ts.isClassDeclaration(node.parent))
      names.add(`${node.parent.name?.text ?? ''}.${node.name.getText(file)}`)
  })
  return names
}

describe('the way of a line, in code', () => {
  const steps = stepsOf(textOf('ARCHITECTURE.md'))

  test('is a list of functions in both programs', () => {
    expect(steps.length).toBeGreaterThanOrEqual(12)
    for (const room of ['source-agent/', 'collector/'])
      expect([room, steps.some(({ file }) => file.startsWith(room))]).toEqual([room, true])
  })

  test.each(steps)('$line', ({ name, file }) => {
    expect(files).toContain(file)
    expect([...declarationsIn(parsed(file))]).toContain(name)
  })

  test('an item of another form, and a name that the file does not declare, are found', () => {
    expect(stepsOf(`${heading}\n\n1. reads a file\n\n## Next\n\n2. other`)).toEqual([
      { line: '1. reads a file', name: '', file: '' },
    ])
    const text = 'class A { b() {} }\nexport function c() { return d() }'
    expect([...declarationsIn(parsed('sample.ts', text))]).toEqual(['A', 'A.b', 'c'])
  })
})
