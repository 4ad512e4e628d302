// `npm run ok`, the gate: what is checked without running beside what is checked by running, one lane for each of two
// cores. A step says how long it took; what it printed is shown when it failed, and of the tests always the end.
// `npm run ok -- --no-tests` leaves the tests out, for where `npm test`, which has them all, follows.
import { spawn } from 'node:child_process'

const tests = process.argv.includes('--no-tests') ? [] : [['test:fast']]
const lanes = [...tests, ['build', 'lint:arrows', 'lint:dead', 'lint:format'], ['lint']]

const run = (script) =>
  new Promise((resolve) => {
    const started = performance.now()
    const child = spawn('npm', ['run', '--silent', script], { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
    child.on('close', (code) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(0)
      console.log(`${code === 0 ? 'ok    ' : 'FAILED'} ${script.padEnd(12)} ${seconds} s`)
      if (code !== 0) console.log(output)
      else if (script.startsWith('test')) console.log(output.trimEnd().split('\n').slice(-3).join('\n'))
      resolve(code === 0)
    })
  })

const results = await Promise.all(
  lanes.map(async (scripts) => {
    let good = true
    for (const script of scripts) good = (await run(script)) && good
    return good
  }),
)
process.exitCode = results.every(Boolean) ? 0 : 1
