const shared = {
  testEnvironment: 'node',
  injectGlobals: false, // tests import { test, expect } from '@jest/globals'
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '<rootDir>/test/strip-types.js' },
  testEnvironmentOptions: {
    customExportConditions: ['source', 'node', 'node-addons'], // never 'import': see test/strip-types.js
    globalsCleanup: 'off', // 'soft' warns and 'on' crashes once undici is loaded
  },
}
const project = (displayName, testMatch) => ({ ...shared, displayName, testMatch: [`<rootDir>/${testMatch}`] })

export default {
  randomize: true,
  testTimeout: 30_000,
  maxWorkers: 2, // clusters of processes do not share a machine well
  projects: [
    project('unit', '{packages/*,assigner,collector,source-agent}/test/**/*.test.ts'),
    project('architecture', 'test/architecture/**/*.test.ts'),
    project('simulation', 'test/simulation/**/*.test.ts'),
    project('cluster', 'test/cluster/**/*.test.ts'),
  ],
}
