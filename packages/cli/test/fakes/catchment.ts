// `catchment` with small programs in place of the real ones.

import { realClock, runProgram } from '@catchment/runtime'
import type { Role } from '../../src/decide/supervision.ts'
import { upCommand } from '../../src/up/command.ts'

await runProgram({
  name: 'catchment',
  help: 'for tests',
  version: '0.0.0',
  commands: [
    upCommand({
      find: (role: Role) => new URL(`${role}.ts`, import.meta.url).pathname,
      clock: realClock,
      preferredPort: Number(process.env['FAKE_PREFERRED_PORT'] ?? 0),
    }),
  ],
})
