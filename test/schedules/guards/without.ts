import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Guard } from './guard.ts'

const root = new URL('../../../', import.meta.url)

/** From here on the guard's file is loaded without its guard. Throws if the guard does not stand there exactly once. */
export function takeOut(guard: Guard): void {
  const url = pathToFileURL(fileURLToPath(new URL(guard.file, root))).href
  const source = readFileSync(new URL(guard.file, root), 'utf8')
  if (source.split(guard.text).length !== 2)
    throw new Error(`the guard "${guard.name}" has to stand in ${guard.file} exactly once: ${guard.text}`)
  registerHooks({
    load: (loaded, context, next) =>
      loaded === url
        ? { format: 'module-typescript', source: source.replace(guard.text, () => guard.without), shortCircuit: true }
        : next(loaded, context),
  })
}
