/**
 * How long a test waits for what must happen before it calls it a failure. A test that passes never waits for it, so it
 * is generous: the machine may be busy with everything else. Jest's own limit for one test derives from it.
 */
export const patienceMs = 30_000
