import type { Role } from '../../src/decide/supervision.ts'

/** Where the small programs are that stand in for the real ones. */
export const fakePrograms: Readonly<Record<Role, string>> = {
  zookeeper: new URL('./zookeeper.ts', import.meta.url).pathname,
  assigner: new URL('./assigner.ts', import.meta.url).pathname,
  collector: new URL('./collector.ts', import.meta.url).pathname,
  agent: new URL('./agent.ts', import.meta.url).pathname,
}
