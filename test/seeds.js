// Before every file of units: properties draw the same cases in every run, so that the gate says the same of the same
// code; `npm test -- --full` draws new ones each time, and names the seed of a failure.
import fc from 'fast-check'

if (process.env.CATCHMENT_TEST_FULL !== '1') fc.configureGlobal({ seed: 2026 })
