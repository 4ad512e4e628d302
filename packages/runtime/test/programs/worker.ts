// A program as ours are made, for command-line.test.ts: one command that does what its settings say.

import { CatchmentError } from '../../src/errors.ts'
import { defineCommand, runSingleCommand } from '../../src/program/command-line.ts'
import { choiceSetting, numberSetting, toggleSetting } from '../../src/program/settings.ts'
import { realClock } from '../../src/time/clock.ts'
import { sleep } from '../../src/time/waiting.ts'

const deeds = ['end', 'fail', 'blame-operator', 'use-wrongly', 'wait', 'wait-and-throw', 'stubborn', 'print'] as const

await runSingleCommand(
  'worker',
  defineCommand({
    name: 'worker',
    help: 'works',
    arguments: [
      { name: 'word', help: 'a word', required: false },
      { name: 'other', help: 'another', required: false },
    ],
    settings: {
      deed: choiceSetting({ help: 'what to do', choices: deeds, default: 'end' }),
      noHaste: toggleSetting({ help: 'take your time' }),
      port: numberSetting({ help: 'a number', min: 1, max: 10, default: 7 }),
    },
    async run(settings, context) {
      switch (settings.deed) {
        case 'end':
          context.print(
            JSON.stringify({ settings, arguments: context.arguments, json: context.json, colours: context.colours }),
          )
          return
        case 'fail':
          throw new TypeError('a defect of ours')
        case 'blame-operator':
          throw new CatchmentError('no-disk', 'cannot open /data: it is missing. Make it', { blame: 'operator' })
        case 'use-wrongly':
          throw new CatchmentError('usage', 'that is no way to use it', { blame: 'operator' })
        case 'wait':
          context.print('ready')
          await sleep(realClock, 60_000, context.signal).catch(() => undefined)
          context.print('closed cleanly')
          return
        case 'wait-and-throw':
          context.print('ready')
          await sleep(realClock, 60_000, context.signal)
          return
        case 'stubborn':
          context.print('ready')
          context.signal.addEventListener('abort', () => {
            context.print('stopping')
          })
          await sleep(realClock, 60_000)
          return
        case 'print':
          for (;;) {
            context.print('x'.repeat(1000))
            await sleep(realClock, 0)
          }
      }
    },
  }),
)
