// Jest's last reporter: what people and machines read of a run when everything above it has scrolled away. The last line
// is always `N passed, N failed`; a file that could not run at all counts as one failure.

import { missingRealZooKeeper } from '../packages/testing/src/missing-zookeeper.ts'

/** A test is held against the real ZooKeeper when its project or its name says so. */
const onReal = ({ displayName }, { fullName }) =>
  displayName?.name === 'conformance' || /\breal ZooKeeper\b/.test(fullName)

const skipped = ({ status }) => status === 'pending' || status === 'todo' || status === 'disabled'

export default class Summary {
  #seed
  #root

  constructor({ seed, rootDir }) {
    this.#seed = seed
    this.#root = `${rootDir}/`
  }

  onRunComplete(_contexts, run) {
    const lines = [...this.#real(run.testResults), ...this.#skips(run.testResults), `seed ${this.#seed}`]
    const failed = run.numFailedTests + run.numRuntimeErrorTestSuites
    const text = `\n${lines.join('\n')}\n${run.numPassedTests} passed, ${failed} failed\n`
    process.once('exit', () => process.stdout.write(text)) // Jest's own summary comes after every reporter
  }

  #real(files) {
    const tested = files.flatMap((file) => {
      const tests = file.testResults.filter((one) => onReal(file, one) && !skipped(one))
      return tests.length === 0 ? [] : [`${this.#nameOf(file)} (${tests.length})`]
    })
    if (tested.length > 0) return [`on the real ZooKeeper: ${tested.toSorted().join(', ')}`]
    const missing = missingRealZooKeeper()
    return missing === undefined ? [] : [`not run on the real ZooKeeper: the suites that can: ${missing}`]
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
