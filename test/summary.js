// Jest's last reporter: what people and machines read of a run when everything above it has scrolled away. The last line
// is always `N passed, N failed`; a file that could not run at all counts as one failure.

import { missingRealZooKeeper } from '../packages/testing/src/missing-zookeeper.ts'
import { resultsOf, tableOf } from './conformance/table.js'

/** Outside the conformance suites a test is held against the real ZooKeeper when its name says so. */
const onReal = ({ fullName }) => /\breal ZooKeeper\b/.test(fullName)

const skipped = ({ status }) => status === 'pending' || status === 'todo' || status === 'disabled'

export default class Summary {
  #seed
  #root

  constructor({ seed, rootDir }) {
    this.#seed = seed
    this.#root = `${rootDir}/`
  }

  onRunComplete(_contexts, run) {
    const lines = [
      ...this.#conformance(run.testResults),
      ...this.#real(run.testResults),
      ...this.#skips(run.testResults),
      `seed ${this.#seed}`,
    ]
    const failed = run.numFailedTests + run.numRuntimeErrorTestSuites
    const text = `\n${lines.join('\n')}\n${run.numPassedTests} passed, ${failed} failed\n`
    process.once('exit', () => process.stdout.write(text)) // Jest's own summary comes after every reporter
  }

  #conformance(files) {
    const results = resultsOf(files)
    if (results.length === 0) return []
    if (process.env.CATCHMENT_TEST_JSON === '1') return results.map((result) => JSON.stringify(result))
    return [...tableOf(results, missingRealZooKeeper()), '']
  }

  #real(files) {
    const tested = files.flatMap((file) => {
      const tests = file.testResults.filter((one) => onReal(one) && !skipped(one))
      return tests.length === 0 ? [] : [`${this.#nameOf(file)} (${tests.length})`]
    })
    return tested.length > 0 ? [`on the real ZooKeeper too: ${tested.toSorted().join(', ')}`] : []
  }

  /** Nothing is left out in silence: each test that did not run, with the reason that its name gives. */
  #skips(files) {
    return files.flatMap((file) =>
      file.testResults.filter(skipped).map(({ fullName }) => `not run: ${this.#nameOf(file)}: ${fullName}`),
    )
  }

  #nameOf({ testFilePath }) {
    return testFilePath.replace(this.#root, '')
  }
}
