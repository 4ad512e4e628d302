// `catchment` with small programs in place of the real ones.

import { realClock, runProgram } from '@catchment/runtime'
import { upCommand } from '../../src/up/command.ts'
import { fakePrograms } from './programs.ts'

await runProgram({
  name: 'catchment',
  help: 'for tests',
  commands: [
    upCommand({
      find: (role) => fakePrograms[role],
      clock: realClock,
      preferredPort: Number(process.env['FAKE_PREFERRED_PORT'] ?? 0),
    }),
  ],
})
