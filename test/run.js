// Jest as this house runs it: ESM, and `--full` (which Jest does not know) handed on to the suites that have long counts.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const words = process.argv.slice(2)
const jest = fileURLToPath(new URL('../node_modules/jest/bin/jest.js', import.meta.url))
const flags = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules']
const { status } = spawnSync(process.execPath, [...flags, jest, ...words.filter((word) => word !== '--full')], {
  stdio: 'inherit',
  env: { ...process.env, CATCHMENT_TEST_FULL: words.includes('--full') ? '1' : '0' },
})
process.exit(status ?? 1)
