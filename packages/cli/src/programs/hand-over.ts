import { CatchmentError, defineCommand, environment, type BoundCommand } from '@catchment/runtime'
import type { Role } from '../decide/supervision.ts'
import type { FindProgram } from './find-program.ts'

const helps: Readonly<Record<Role, string>> = {
  assigner: 'Run an assigner (options: catchment assigner --help)',
  collector: 'Run a collector (options: catchment collector --help)',
  agent: 'Run an agent (options: catchment agent --help)',
  zookeeper: 'Run the embedded ZooKeeper server (options: catchment zookeeper --help)',
}

/**
 * `catchment collector …` becomes `catchment-collector …`: this process turns into that program (execve), so the pid, the
 * signals, the standard streams and the exit code are its own, and nothing has to be passed on.
 */
export function handOverCommand(role: Role, find: FindProgram): BoundCommand {
  return defineCommand({
    name: role,
    help: helps[role],
    settings: {},
    handsOver: true,
    run: (_settings, { rest }) => {
      const file = find(role)
      if (process.execve === undefined)
        throw new CatchmentError(
          'unsupported',
          `cannot hand over to ${file}: this system cannot replace a process; run it with node itself`,
          { blame: 'machine' },
        )
      return process.execve(process.execPath, [process.execPath, file, ...rest], { ...environment() })
    },
  })
}
