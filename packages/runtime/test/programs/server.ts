// A service as ours are made, for service.process.test.ts.

import { numberSetting, runService, sleep, realClock, choiceSetting } from '../../src/index.ts'

await runService({
  name: 'server',
  help: 'Serves.',
  settings: {
    port: numberSetting({ help: 'port', min: 0, max: 65_535, default: 7 }),
    ends: choiceSetting({ help: 'how it ends', choices: ['never', 'itself', 'badly'], default: 'never' }),
  },
  run: async ({ port, ends }, { log, print, serve }) => {
    const ended = ends === 'badly' ? Promise.reject(new Error('the disk is full')) : sleep(realClock, 0)
    const listening = setInterval(() => undefined, 60_000)
    log.debug('before')
    await serve({
      ready: { id: 's1', port },
      words: `serves on ${port}`,
      ...{ listen: `127.0.0.1:${port}`, data: '/data', ...(ends !== 'never' && { ended }) },
    }).finally(() => {
      clearInterval(listening)
      print('stopped')
    })
  },
})
