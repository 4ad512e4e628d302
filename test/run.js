// `npm test` and `npm run jest`: Jest as this house runs it, in the lanes of lanes.js, with one seed and one end over all of
// them. `--full` (which Jest does not know) goes to the suites that have long counts; `--selectProjects` chooses lanes, too;
// every other word goes to Jest.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import config from '../jest.config.js'
import { lanesOf } from './lanes.js'
import { summaryOf } from './summary.js'

const jest = fileURLToPath(new URL('../node_modules/jest/bin/jest.js', import.meta.url))
const flags = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules']

/** Compiled code of Jest and of every program that a test starts: compiling is half of what a start costs. */
const compiled = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url))

const { words, projects, seed, full } = readWords(process.argv.slice(2))
const lanes = lanesOf(projects)
const directory = mkdtempSync(join(tmpdir(), 'catchment-tests-'))
const running = new Set()
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => running.forEach((child) => child.kill(signal)))

const results = await Promise.all(lanes.map(runLane))
rmSync(directory, { recursive: true })
const summary = summaryOf({ lanes: results, seed, json: process.env.CATCHMENT_TEST_JSON === '1' })
process.stdout.write(summary.text)
process.exitCode = summary.failed === 0 && summary.passed > 0 && results.every(({ code }) => code === 0) ? 0 : 1

function runLane({ name, workers, projects: its }) {
  const started = performance.now()
  const resultsPath = join(directory, `${name}.json`)
  const own = [
    '--seed',
    String(seed),
    '--passWithNoTests',
    ...(has(words, '--maxWorkers', '-w') ? [] : [`--maxWorkers=${workers}`]),
  ]
  const child = spawn(process.execPath, [...flags, jest, ...own, ...words, '--selectProjects', ...its], {
    stdio: lanes.length === 1 ? 'inherit' : ['ignore', 'pipe', 'pipe'],
    env: {
      NODE_COMPILE_CACHE: compiled,
      ...process.env,
      ...{ CATCHMENT_TEST_FULL: full ? '1' : '0', CATCHMENT_TEST_RESULTS: resultsPath },
    },
  })
  running.add(child)
  child.stdout?.pipe(process.stdout, { end: false })
  child.stderr?.pipe(process.stderr, { end: false })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      running.delete(child)
      resolve({ name, code, seconds: (performance.now() - started) / 1000, files: filesIn(resultsPath) })
    })
  })
}

function filesIn(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined // the lane ended before its last reporter: the summary says so
  }
}

function readWords(given) {
  const all = config.projects.map(({ displayName }) => displayName)
  const rest = given.filter((word) => word !== '--full')
  const chosen = taken(rest, '--selectProjects', Infinity)
  const [text] = taken(rest, '--seed', 1)
  const drawn = Math.floor(Math.random() * 2 ** 31)
  return {
    words: rest,
    projects: chosen.length > 0 ? chosen : all,
    seed: text === undefined ? drawn : Number(text),
    full: given.includes('--full'),
  }
}

/** Takes a flag and at most `valuesMax` values out of `words`; the values. */
function taken(words, flag, valuesMax) {
  const at = words.findIndex((word) => word === flag || word.startsWith(`${flag}=`))
  if (at < 0) return []
  if (words[at].includes('=')) return [words.splice(at, 1)[0].slice(flag.length + 1)]
  let end = at + 1
  while (end < words.length && end - at <= valuesMax && !words[end].startsWith('-')) end += 1
  return words.splice(at, end - at).slice(1)
}

function has(words, ...names) {
  return words.some((word) => names.some((flag) => word === flag || word.startsWith(`${flag}=`)))
}
