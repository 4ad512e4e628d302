// What the conformance suites found: a line for each suite, a column for each kind of server. Only tests that ran to
// their end count; a file that could not run counts as one failure.

const kinds = ['embedded', 'single', 'ensemble']
const titles = { embedded: 'embedded', single: 'ZooKeeper', ensemble: 'ensemble of 3' }

/** `{suite, server, passed, failed, notRun}` for each suite × kind of server. `files` as lane-results.js keeps them. */
export function resultsOf(files) {
  return files
    .flatMap((file) => {
      const server = kindOf(file) ?? (isUnitOfClient(file) ? 'embedded' : undefined)
      return server === undefined ? [] : [{ suite: suiteOf(file), server, ...countsOf(file) }]
    })
    .toSorted((a, b) => a.suite.localeCompare(b.suite) || kinds.indexOf(a.server) - kinds.indexOf(b.server))
}

/** The same for people. `missing`: why the real ZooKeeper was not there. */
export function tableOf(results, missing) {
  const suites = [...new Set(results.map(({ suite }) => suite))]
  const width = Math.max(10, ...suites.map(({ length }) => length))
  const line = (first, cells) => `${first.padEnd(width)}  ${cells.map((cell) => cell.padStart(22)).join('')}`
  const total = (server) =>
    results
      .filter((one) => one.server === server)
      .reduce((sum, { passed, failed, notRun }) => add(sum, { passed, failed, notRun }), none)
  return [
    line(
      'conformance',
      kinds.map((kind) => titles[kind]),
    ),
    ...suites.map((suite) =>
      line(
        suite,
        kinds.map((kind) => cell(results.find((one) => one.suite === suite && one.server === kind))),
      ),
    ),
    line(
      'all',
      kinds.map((kind) => cell(total(kind))),
    ),
    ...(missing === undefined ? [] : [`the real ZooKeeper is not installed: ${missing}`]),
  ].map((text) => text.trimEnd())
}

const none = { passed: 0, failed: 0, notRun: 0 }
const add = (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, notRun: a.notRun + b.notRun })
const kindOf = ({ project }) => kinds.find((kind) => project === `conformance-${kind}`)
const isUnitOfClient = ({ project, path }) =>
  (project === 'unit' || project === 'recipes') && path.endsWith('.world.test.ts')
const suiteOf = ({ path }) => path.split('/').at(-1).replace('.world.test.ts', '')

function countsOf({ tests, crashed }) {
  const passed = tests.filter(({ status }) => status === 'passed').length
  const failed = tests.filter(({ status }) => status === 'failed').length
  return { passed, failed: failed + (crashed && failed === 0 ? 1 : 0), notRun: tests.length - passed - failed }
}

function cell(counts = none) {
  const { passed, failed, notRun } = counts
  if (passed + failed + notRun === 0) return '-'
  const more = [failed > 0 && `${failed} FAILED`, notRun > 0 && `${notRun} not run`].filter(Boolean)
  return [`${passed} passed`, ...more].join(', ')
}
