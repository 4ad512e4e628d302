// Other people's clients against our server: ZooKeeper's own command line (Java), and kazoo (Python).

import { spawnSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from '@jest/globals'
import { environment, realClock, realRandom } from '@catchment/runtime'
import { expectsRealZooKeeper, startProcess, startRealZooKeeper, tempDirectory } from '@catchment/testing'
import { startServer, type ZookeeperServer } from '../src/server/server.ts'

const clients = fileURLToPath(new URL('clients/', import.meta.url))
const cliClasses = ['zookeeper', 'slf4j-nop', 'commons-cli'].map((name) => `/usr/share/java/${name}.jar`).join(':')

/** Debian's kazoo belongs to Debian's python, which need not be the first on the path. */
const python = ['python3', '/usr/bin/python3'].find((one) => spawnSync(one, ['-c', 'import kazoo']).status === 0)
/** In CI what is not installed is a failure; elsewhere it is left out, and the list of tests shows it. */
const testOfKazoo = python === undefined && environment()['CI'] !== 'true' ? test.skip : test.concurrent
const testOfCli = expectsRealZooKeeper() ? test.concurrent : test.skip

interface Scene extends AsyncDisposable {
  readonly server: ZookeeperServer
  readonly directory: string
}

/** A server of ours, and a directory. */
async function begin(): Promise<Scene> {
  const stack = new AsyncDisposableStack()
  const { path } = stack.use(await tempDirectory())
  const server = await startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: realClock, random: realRandom })
  stack.defer(() => server.close())
  return { server, directory: path, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

/** What zkCli.sh prints for the commands of zkcli.txt, a line each, without what differs from run to run. */
async function commandLine(address: string, directory: string): Promise<string[]> {
  const words = ['-cp', cliClasses, 'org.apache.zookeeper.ZooKeeperMain', '-server', address]
  await using cli = startProcess('java', words, { directory })
  cli.write((await readFile(`${clients}zkcli.txt`, 'utf8')).replaceAll('HOST', address))
  cli.closeInput()
  expect(await cli.ended).toEqual({ code: 0, signal: null })
  const said = `${cli.output.stdout}${cli.output.stderr}`
    .replaceAll(address, 'HOST')
    .replaceAll(/0x[0-9a-f]+/g, '0x…')
    .replaceAll(/time = .*/g, 'time = …')

    .replaceAll('[/a/es-0000000002, /a/e]', '[/a/e, /a/es-0000000002]')
  return said.split('\n').filter((line) => line !== '')
}

async function cliPrintsTheSame(): Promise<void> {
  await using scene = await begin()
  const { server, directory } = scene
  await using real = await startRealZooKeeper({ directory })
  const [ours, theirs] = await Promise.all([
    commandLine(`127.0.0.1:${server.port}`, directory),
    commandLine(real.address, directory),
  ])
  expect(ours.length).toBeGreaterThan(100)
  expect(ours.toSorted()).toEqual(theirs.toSorted()) // watches are reported by another thread than commands
}

async function everyRecipeWorks(): Promise<void> {
  await using scene = await begin()
  const words = [`${clients}kazoo_recipes.py`, `127.0.0.1:${scene.server.port}`]
  await using recipes = startProcess(python ?? 'python3', words)
  const end = await recipes.ended
  const lines = recipes.output.stdout.split('\n').filter((line) => line !== '')
  const failed = lines.filter((line) => !line.startsWith('ok '))
  expect({ ...end, failed: failed.join('\n') }).toEqual({ code: 0, signal: null, failed: '' })
  expect(lines).toHaveLength(18)
}

describe("other people's clients", () => {
  testOfCli('zkCli.sh prints the same of our server as of the real one', cliPrintsTheSame)
  testOfKazoo('kazoo: every recipe', everyRecipeWorks)
})
