// Jest's last reporter in each lane: keeps what the end of the run is made of (summary.js), in the file that run.js named.
import { writeFileSync } from 'node:fs'

export default class LaneResults {
  #root

  constructor({ rootDir }) {
    this.#root = `${rootDir}/`
  }

  onRunComplete(_contexts, run) {
    const files = run.testResults.map((file) => ({
      path: file.testFilePath.replace(this.#root, ''),
      project: file.displayName?.name ?? '',
      seconds: file.perfStats.runtime / 1000,
      crashed: file.testExecError != null,
      tests: file.testResults.map(({ fullName, status }) => ({ fullName, status })),
    }))
    const path = process.env.CATCHMENT_TEST_RESULTS
    if (path !== undefined) writeFileSync(path, JSON.stringify(files))
  }
}
