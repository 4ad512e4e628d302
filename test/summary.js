// The end of a run: what people and machines read when everything above it has scrolled away. The last line is always
// `N passed, N failed`; a file that could not run at all counts as one failure.
import { missingRealZooKeeper } from '../packages/testing/src/missing-zookeeper.ts'
import { resultsOf, tableOf } from './conformance/table.js'

const slowestShown = 10

/**
 * The lines that end a run. `lanes`: `{name, seconds, files}` of each, files as lane-results.js keeps them, undefined where the
 * lane ended without results. `json`: the conformance table for machines.
 */
export function summaryOf({ lanes, seed, json }) {
  const files = lanes.flatMap((lane) => lane.files ?? [])
  const lost = lanes.filter((lane) => lane.files === undefined)
  const passed = count(files, ({ status }) => status === 'passed')
  const failed = count(files, ({ status }) => status === 'failed') + files.filter(couldNotRun).length + lost.length
  const lines = [
    ...conformance(files, json),
    ...real(files),
    ...skips(files),
    ...lost.map(({ name }) => `the lane ${name} ended without results`),
    ...slowest(files),
    ...lanes.map(
      ({ name, seconds, files: its = [] }) => `lane ${name}: ${its.length} files in ${seconds.toFixed(0)} s`,
    ),
    `seed ${seed}`,
    `${passed} passed, ${failed} failed`,
  ]
  return { text: `\n${lines.join('\n')}\n`, passed, failed }
}

/** Outside the conformance suites a test is held against the real ZooKeeper when its name says so. */
const onReal = ({ fullName }) => /\breal ZooKeeper\b/.test(fullName)
const skipped = ({ status }) => status !== 'passed' && status !== 'failed'
const couldNotRun = ({ crashed, tests }) => crashed && !tests.some(({ status }) => status === 'failed')
const count = (files, fits) => files.reduce((sum, { tests }) => sum + tests.filter(fits).length, 0)

function conformance(files, json) {
  const results = resultsOf(files)
  if (results.length === 0) return []
  if (json) return results.map((result) => JSON.stringify(result))
  return [...tableOf(results, missingRealZooKeeper()), '']
}

function real(files) {
  const tested = files.flatMap(({ path, tests }) => {
    const its = tests.filter((test) => onReal(test) && !skipped(test))
    return its.length === 0 ? [] : [`${path} (${its.length})`]
  })
  return tested.length > 0 ? [`on the real ZooKeeper too: ${tested.toSorted().join(', ')}`] : []
}

/** Nothing is left out in silence: each test that did not run, with the reason that its name gives. */
function skips(files) {
  return files.flatMap(({ path, tests }) =>
    tests.filter(skipped).map(({ fullName }) => `not run: ${path}: ${fullName}`),
  )
}

function slowest(files) {
  const shown = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, slowestShown)
  return shown.map(({ seconds, project, path }) => `${seconds.toFixed(1).padStart(6)} s  ${project} ${path}`)
}
