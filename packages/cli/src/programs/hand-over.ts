import { CatchmentError, defineCommand, environment, type BoundCommand } from '@catchment/runtime'
import type { Role } from '../decide/supervision.ts'
import type { FindProgram } from './find-program.ts'

const helps: Readonly<Record<Role, string>> = {
  assigner: 'one assigner: plans and publishes the assignment (all flags are those of catchment-assigner)',
  collector: 'one collector: stores what its groups send (all flags are those of catchment-collector)',
  agent: 'one source-agent: follows files and ships them (all flags are those of catchment-agent)',
  zookeeper: 'the embedded ZooKeeper server alone (all flags are those of catchment-zookeeper)',
}

/**
 * `catchment collector …` becomes `catchment-collector …`: this process turns into that program (execve), so the pid, the
 * signals, the standard streams and the exit code are its own, and nobody has to pass anything on.
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
