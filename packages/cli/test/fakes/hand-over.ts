// `catchment collector …` with a small program that shows its words and ends with 7 at SIGTERM.

import { runProgram } from '@catchment/runtime'
import { handOverCommand } from '../../src/programs/hand-over.ts'

await runProgram({
  name: 'catchment',
  help: 'for tests',
  commands: [handOverCommand('collector', () => new URL('shows-words.ts', import.meta.url).pathname)],
})
