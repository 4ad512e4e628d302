import { describe, expect, test } from '@jest/globals'
import ts from 'typescript'
import { parsed, sources } from './sources.ts'

/** Names that two files declare, and why they may. */
const twice = new Map<string, string>([
  ['Load', "the load that travels, and the planner's, which is rebuilt"],
  ['Leader', 'who leads an election, in the tree and in answers to agents'],
])

/** The names of the types, interfaces and classes that a file declares, wherever in it. */
function typesOf(path: string, text?: string): string[] {
  return parsed(path, text).statements.flatMap((node) =>
    ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node) || ts.isClassDeclaration(node)
      ? node.name === undefined
        ? []
        : [node.name.text]
      : [],
  )
}

describe('a type has one name, and a name one type', () => {
  test('no two files declare a type, an interface or a class of the same name', () => {
    const declared = new Map<string, string[]>()
    for (const path of sources)
      for (const name of typesOf(path)) declared.set(name, [...(declared.get(name) ?? []), path])
    const doubles = [...declared].filter(([, paths]) => paths.length > 1)
    const unnamed = doubles.filter(([name]) => !twice.has(name)).map(([name, paths]) => `${name}: ${paths.join(', ')}`)
    expect(unnamed.toSorted()).toEqual([])
    expect([...twice.keys()].filter((name) => !doubles.some(([double]) => double === name))).toEqual([])
  })
})
