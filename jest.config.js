import { missingRealZooKeeper } from './packages/testing/src/missing-zookeeper.ts'
import { patienceMs } from './packages/testing/src/patience.ts'

const shared = {
  testEnvironment: '<rootDir>/test/environment.js',
  injectGlobals: false, // tests import { test, expect } from '@jest/globals'
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '<rootDir>/test/strip-types.js' },
  testEnvironmentOptions: {
    customExportConditions: ['source', 'node', 'node-addons'], // never 'import': see test/strip-types.js
    globalsCleanup: 'off', // 'soft' warns and 'on' crashes once undici is loaded
  },
}
const rooms = '<rootDir>/{packages/*,assigner,collector,source-agent}/test'
const project = (displayName, testMatch, more = {}) => ({
  ...shared,
  displayName,
  testMatch,
  ...more,
})

// `*.world.test.ts` are suites for every kind of ZooKeeper server: our own, the real one, a real ensemble of three. Those of
// the client run on our own as units.
const clientSuites = '<rootDir>/packages/coordination/test/**/*.world.test.ts'
/** Recipes that no program of ours uses: those of the entry @catchment/coordination/recipes. */
const libraryRecipes = '<rootDir>/packages/coordination/test/library/**/*.test.ts'
const seeded = { setupFiles: ['<rootDir>/test/seeds.js'] }
const conformance = (kind, suites) =>
  project(`conformance-${kind}`, suites, {
    globals: { catchmentZooKeeper: kind },
    ...(kind !== 'embedded' && {
      globalSetup: `<rootDir>/test/conformance/start-${kind}.js`,
      globalTeardown: '<rootDir>/test/conformance/stop.js',
    }),
  })
const onServers = '<rootDir>/test/conformance/**/*.world.test.ts'
const expectsRealZooKeeper = missingRealZooKeeper() === undefined || process.env.CI === 'true'

export default {
  randomize: true, // the seed stands in the last lines; `--seed N` repeats it
  testTimeout: 2 * patienceMs,
  maxConcurrency: 20, // of tests that say so: stories that mostly wait
  reporters: ['default', '<rootDir>/test/lane-results.js'],
  projects: [
    project('unit', [`${rooms}/**/*.test.ts`, '!**/*.process.test.ts', '!**/test/library/**'], seeded),
    project('architecture', ['<rootDir>/test/architecture/**/*.test.ts']),
    project('simulation', ['<rootDir>/test/simulation/**/*.test.ts']),
    // Those below take their time, or start processes of ours, or the real ZooKeeper: `npm test` runs them, `npm run ok` does
    // not.
    project('schedules', ['<rootDir>/test/schedules/**/*.test.ts']),
    project('recipes', [libraryRecipes], seeded),
    project('process', [`${rooms}/**/*.process.test.ts`]),
    project('cluster', ['<rootDir>/test/cluster/**/*.test.ts']),
    conformance('embedded', [onServers]),
    ...(expectsRealZooKeeper
      ? [conformance('single', [onServers, clientSuites]), conformance('ensemble', [onServers, clientSuites])]
      : []),
  ],
}
