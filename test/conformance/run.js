// `npm run test:conformance`: the suites of the ZooKeeper client and of its servers, on each kind of server; ends with the
// table. `-- --json` prints it for machines: a line for each suite and server. Other words go to Jest.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { missingRealZooKeeper } from '../../packages/testing/src/missing-zookeeper.ts'

const words = process.argv.slice(2)
const real = missingRealZooKeeper() === undefined || process.env.CI === 'true'
const projects = [
  'unit',
  'recipes',
  'conformance-embedded',
  ...(real ? ['conformance-single', 'conformance-ensemble'] : []),
]
const paths = words.some((word) => word.startsWith('--testPathPatterns'))
  ? []
  : ['--testPathPatterns', 'packages/coordination/test/', 'test/conformance/']

const { status } = spawnSync(
  process.execPath,
  [
    fileURLToPath(new URL('../run.js', import.meta.url)),
    '--selectProjects',
    ...projects,
    ...paths,
    ...words.filter((word) => word !== '--json'),
  ],
  { stdio: 'inherit', env: { ...process.env, CATCHMENT_TEST_JSON: words.includes('--json') ? '1' : '0' } },
)
process.exit(status ?? 1)
