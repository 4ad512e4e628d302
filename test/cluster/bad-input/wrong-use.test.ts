// What is typed wrongly: exit code 2, and a message that says what would be right.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { tempDirectory } from '@catchment/testing'
import type { ProgramKind } from '../programs/program.ts'
import { run, withoutZooKeeper } from './run.ts'

describe('wrong use ends with exit code 2 and says what would be right', () => {
  test.each<[ProgramKind, string[], RegExp]>([
    ['agent', ['--folow', '/x'], /--follow/],
    ['agent', ['--assigner', 'http://127.0.0.1:1', '--data', '/dev/null/x'], /--follow is required/],
    ['agent', ['--assigner', 'seven', '--follow', '/x', '--data', '/dev/null/x'], /"seven"/],
    ['collector', ['--id', 'c1'], /--zookeeper is required/],
    ['collector', [...withoutZooKeeper, '--data', '/dev/null/x', '--disk-max', 'lots'], /"lots"/],
    ['collector', [...withoutZooKeeper, '--data', '/dev/null/x', '--listen', '0.0.0.0:0'], /--insecure/],
    ['assigner', [...withoutZooKeeper, '--redistribution', 'both'], /local.*global/],
    ['assigner', [...withoutZooKeeper, '--listen', '0.0.0.0:0'], /--insecure/],
    ['zookeeper', ['--data', '/dev/null/x', '--port', 'many'], /--port/],
    ['catchment', ['tre'], /tree/],
    ['catchment', ['rebalance', '--mode', 'sideways'], /local.*global/],
    ['catchment', [], /Usage/],
  ])('%s %j', async (kind, words, says) => {
    const end = await run(kind, ...words)
    expect(end).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
  })

  test('a misspelt key in the configuration is named with what was meant', async () => {
    await using directory = await tempDirectory()
    const config = join(directory.path, 'agent.yaml')
    writeFileSync(config, 'folow: /var/log/*.log\n')
    const end = await run('agent', '--config', config)
    expect(end).toMatchObject({ code: 2, stderr: expect.stringMatching(/"folow".*did you mean "follow"/) })
  })
})
