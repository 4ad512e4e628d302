// A program run to its end: with words that it cannot work with, it ends by itself.

import { startProcess, type ProcessEnd } from '@catchment/testing'
import { mainOf, nodeFlags, type ProgramKind } from '../programs/program.ts'

/** Runs a program to its end; its exit code and what it printed to standard error. */
export async function run(kind: ProgramKind, ...words: string[]): Promise<ProcessEnd & { stderr: string }> {
  await using child = startProcess(process.execPath, [...nodeFlags, mainOf(kind), ...words])
  const end = await child.ended
  return { ...end, stderr: child.output.stderr }
}

/** Flags of a collector or an assigner whose ZooKeeper does not answer. */
export const withoutZooKeeper = ['--zookeeper', '127.0.0.1:1', '--id', 'x', '--session-timeout', '1000']
