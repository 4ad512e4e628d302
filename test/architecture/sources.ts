// The shipped sources as the compiler reads them: what they declare, whatever their layout.

import ts from 'typescript'
import { textOf, typeScriptFiles } from './house.ts'

/** TypeScript that ships: no tests, no declarations of what others wrote. */
export const sources: readonly string[] = typeScriptFiles.filter(
  (path) => path.includes('/src/') && !path.startsWith('test/'),
)

export function parsed(path: string, text: string = textOf(path)): ts.SourceFile {
  return ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
}

/** Visits `node` and everything below it. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => {
    walk(child, visit)
  })
}
