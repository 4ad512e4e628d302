// Finds wiring that runs backwards: a part that is handed a function to reach another part, because that one is made only
// after it, and a `let` that is filled later.

import ts from 'typescript'
import { walk } from './sources.ts'

type FunctionLike = ts.FunctionLikeDeclaration | ts.ClassStaticBlockDeclaration

/** What runs backwards in `file`, each as `line: text`. */
export function backwardWiring(file: ts.SourceFile): string[] {
  const found: { at: number; text: string }[] = []
  const note = (node: ts.Node, what: string): void => {
    found.push({ at: node.getStart(file), text: `${firstLine(node, file)} (${what})` })
  }
  walk(file, (node) => {
    if (ts.isVariableDeclaration(node) && isLet(node) && isUnset(node.initializer) && isPart(node))
      note(node, 'filled later')
    if (!ts.isArrowFunction(node) || isGauge(node)) return
    const late = [...madeLater(node), ...(isThunk(node) ? readOfField(node) : [])]
    if (late.length > 0) note(node, `reads ${[...new Set(late)].join(', ')}`)
  })
  // of nested functions the innermost alone
  return found
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `${file.getLineAndCharacterOfPosition(at).line + 1}: ${text}`)
}

function firstLine(node: ts.Node, file: ts.SourceFile): string {
  return (node.getText(file).split('\n')[0] ?? '').trim()
}

function isLet(node: ts.VariableDeclaration): boolean {
  return ts.isVariableDeclarationList(node.parent) && (node.parent.flags & ts.NodeFlags.Let) !== 0
}

function isUnset(initializer: ts.Expression | undefined): boolean {
  return initializer === undefined || (ts.isIdentifier(initializer) && initializer.text === 'undefined')
}

/** Types of values that come and go while a program runs. */
const values = /^(Error|Timer|Map|Set|ReadonlyMap|ReadonlySet|Record|Promise|.*(State|Status|Phase))$/

/** Holds a part of a program, and not a number, a text, a state or a callback: those may change at any time. */
function isPart({ type, initializer }: ts.VariableDeclaration | ts.PropertyDeclaration): boolean {
  if (type === undefined) return isUnset(initializer)
  const kinds = ts.isUnionTypeNode(type) ? type.types : [type]
  return kinds.some((kind) => ts.isTypeReferenceNode(kind) && !values.test(kind.typeName.getText()))
}

/** The fields of the class around `node` that hold a part, and whether each may be filled later. */
function partsOf(node: ts.Node): Map<string, 'readonly' | 'mutable'> {
  for (let above = node.parent; !ts.isSourceFile(above); above = above.parent)
    if (ts.isClassDeclaration(above))
      return new Map(
        above.members.flatMap((member) => {
          if (!ts.isPropertyDeclaration(member) || !isPart(member)) return []
          const fixed = member.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ReadonlyKeyword) === true
          return [[`this.${member.name.getText()}`, fixed ? 'readonly' : 'mutable'] as const]
        }),
      )
  return new Map()
}

/** `metrics.gauge(name, help, () => …)` reads a number when somebody asks. */
function isGauge(node: ts.ArrowFunction): boolean {
  const { parent } = node
  return (
    ts.isCallExpression(parent) &&
    ts.isPropertyAccessExpression(parent.expression) &&
    parent.expression.name.text === 'gauge'
  )
}

/** `() => a.b.c`, `() => this.#a?.b ?? c`: it does nothing but read. */
function isThunk(node: ts.ArrowFunction): boolean {
  if (node.parameters.length > 0 || ts.isBlock(node.body)) return false
  let reads = true
  walk(node.body, (inner) => {
    if (ts.isCallExpression(inner) || ts.isNewExpression(inner) || ts.isFunctionLike(inner)) reads = false
  })
  return reads
}

/** The parts of `this` that a thunk stands for, or reads though they may not be there yet. */
function readOfField(node: ts.ArrowFunction): string[] {
  const parts = partsOf(node)
  const fields: string[] = []
  walk(node.body, (inner) => {
    const field = fieldOf(inner)
    if (field === undefined) return
    const part = parts.get(field)
    if (part === 'mutable' || (part === 'readonly' && (inner === node.body || inConstructor(node)))) fields.push(field)
  })
  return fields
}

function inConstructor(node: ts.Node): boolean {
  return ts.findAncestor(node, ts.isConstructorDeclaration) !== undefined
}

function fieldOf(node: ts.Node): string | undefined {
  return ts.isPropertyAccessExpression(node) && node.expression.kind === ts.SyntaxKind.ThisKeyword
    ? `this.${node.name.text}`
    : undefined
}

/** What a function in an argument or a literal uses of its surroundings that is made only after it. */
function madeLater(node: ts.ArrowFunction): string[] {
  const maker = enclosing(node)
  if (maker?.body === undefined) return []
  const own = new Set<string>()
  walk(node, (inner) => {
    if (ts.isParameter(inner) || ts.isVariableDeclaration(inner) || ts.isBindingElement(inner))
      own.add(inner.name.getText())
  })
  const later = namesMadeAfter(maker.body, node)
  const parts = partsOf(node)
  const used: string[] = []
  walk(node.body, (inner) => {
    const name = ts.isIdentifier(inner) ? inner.text : undefined
    const field = fieldOf(inner)
    if (name !== undefined && later.has(name) && !own.has(name) && isReference(inner)) used.push(name)
    if (field !== undefined && later.has(field) && parts.has(field)) used.push(field)
  })
  return used
}

function enclosing(node: ts.Node): FunctionLike | undefined {
  for (let above = node.parent; !ts.isSourceFile(above); above = above.parent)
    if (ts.isFunctionLike(above) && 'body' in above) return above
  return undefined
}

/** Variables declared, and fields of `this` assigned, in `body` after `node` ends; not in functions within it. */
function namesMadeAfter(body: ts.Node, node: ts.Node): Set<string> {
  const names = new Set<string>()
  const visit = (inner: ts.Node): void => {
    if (ts.isFunctionLike(inner)) return
    if (ts.isVariableDeclaration(inner) && (isAfter(inner.name, node) || isAround(inner, node)))
      for (const name of namesIn(inner.name)) names.add(name)
    const field = isAssignment(inner) && inner.right !== node && inner.getEnd() >= node.getEnd() && fieldOf(inner.left)
    if (typeof field === 'string') names.add(field)
    ts.forEachChild(inner, visit)
  }
  visit(body)
  return names
}

function isAfter(node: ts.Node, other: ts.Node): boolean {
  return node.getEnd() > other.getEnd()
}

function isAround(node: ts.Node, other: ts.Node): boolean {
  return node.getStart() < other.getStart() && other.getEnd() <= node.getEnd()
}

function isAssignment(node: ts.Node): node is ts.BinaryExpression {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken
}

function namesIn(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text]
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? namesIn(element.name) : []))
}

/** Not the name of a member, of a property or of a parameter. */
function isReference(node: ts.Node): boolean {
  const { parent } = node
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node
  return !ts.isParameter(parent) && !ts.isVariableDeclaration(parent)
}
