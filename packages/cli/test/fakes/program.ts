// A small program that behaves as the real ones do towards `up`: a ready line, logs on standard error, an end with
// SIGTERM or with its standard input. Its role
// is the name of the file that imports it. It notes its starts in $FAKE_RECORD/<id>.jsonl and its end in ends.txt.
//
//   FAKE_STUBBORN=ROLE   ignores SIGTERM        FAKE_BROKEN=ID   ends with exit code 3 before it is ready

import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { basename, join } from 'node:path'

const [, file = '', ...words] = process.argv
const role = basename(file, '.ts')
const after = (flag: string): string | undefined => {
  const at = words.indexOf(flag)
  return at === -1 ? undefined : words[at + 1]
}
const id = after('--id') ?? role
const record = process.env['FAKE_RECORD']
const writeRecord = (name: string, text: string): void => {
  if (record === undefined) return
  mkdirSync(record, { recursive: true })
  writeFileSync(join(record, name), text, { flag: 'a' })
}

writeRecord(`${id}.jsonl`, `${JSON.stringify({ pid: process.pid, words })}\n`)
if (process.env['FAKE_BROKEN'] === id) {
  process.stderr.write(`${JSON.stringify({ level: 'error', message: 'the disk is made of cheese' })}\n`)
  process.exit(3)
}
const port = Number((after('--port') ?? after('--listen') ?? '0').split(':').at(-1))
const server = createServer((_request, response) => response.end('{}'))
const end = (): void => {
  writeRecord('ends.txt', `${id}\n`)
  server.close()
  server.closeAllConnections()
  process.stdin.destroy()
}
process.on('SIGTERM', () => {
  if (process.env['FAKE_STUBBORN'] !== role) end()
})
process.stdin.on('end', end).resume()
server.listen(port, '127.0.0.1', () => {
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : 0
  process.stderr.write(`${JSON.stringify({ level: 'info', message: `${id} listens` })}\n`)
  const where = role === 'zookeeper' ? { port: bound } : { url: `http://127.0.0.1:${bound}`, id }
  process.stdout.write(`${JSON.stringify({ program: role, pid: process.pid, ready: true, ...where })}\n`)
})
