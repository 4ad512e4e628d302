import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { startServer } from '@catchment/embedded-zookeeper'
import { realClock, realRandom } from '@catchment/runtime'
import { startProcess, tempDirectory } from '@catchment/testing'

const readme = new URL('../README.md', import.meta.url)
const library = new URL('../src/index.ts', import.meta.url)

test('the examples of the README run as they stand, each on a server of its own', async () => {
  const examples = [...(await readFile(readme, 'utf8')).matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code ?? '')
  expect(examples.length).toBeGreaterThan(2)
  for (const [number, code] of examples.entries()) expect([number, await outcomeOf(code)]).toEqual([number, '0 '])
})

/** Exit code and standard error of an example. */
async function outcomeOf(code: string): Promise<string> {
  const directory = await tempDirectory()
  const server = await startServer({ listen: { host: '127.0.0.1', port: 0 }, clock: realClock, random: realRandom })
  try {
    const here = { '@catchment/coordination': library.href, '127.0.0.1:2181': `127.0.0.1:${server.port}` }
    const runs = Object.entries(here).reduce((text, [written, meant]) => text.replaceAll(written, meant), code)
    const file = join(directory.path, 'example.ts')
    await writeFile(file, runs)
    await using example = startProcess(process.execPath, ['--disable-warning=ExperimentalWarning', file])
    const { code: status } = await example.ended
    return `${status ?? 'killed'} ${example.output.stderr}`
  } finally {
    await server.close()
    await directory.remove()
  }
}
