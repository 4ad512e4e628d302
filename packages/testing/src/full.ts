import { environment } from '@catchment/runtime'

/** `npm test -- --full`: the long counts of every seeded suite, instead of the short fixed ones. Set by test/run.js. */
export const full = environment()['CATCHMENT_TEST_FULL'] === '1'
