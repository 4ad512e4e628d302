// The command `catchment`: every verb, and the commands that start the programs.

import { realClock, runProgram } from '@catchment/runtime'
import { handOverCommand } from './programs/hand-over.ts'
import { findProgram } from './programs/find-program.ts'
import { upCommand } from './up/command.ts'
import { collectorCommand, commandsCommand } from './verbs/commands.ts'
import { configCommand } from './verbs/config.ts'
import { explainCommand } from './verbs/explain.ts'
import { rebalanceCommand } from './verbs/rebalance.ts'
import { statusCommand } from './verbs/status.ts'
import { treeCommand } from './verbs/tree.ts'

/** Runs what the command line says and sets the exit code. */
export async function runCatchment(): Promise<void> {
  await runProgram({
    name: 'catchment',
    help: 'Collect the logs of a fleet of hosts: agents follow files, collectors store them, and an assigner decides which collector serves which group of sources.',
    commands: [
      upCommand({ find: findProgram, clock: realClock }),
      treeCommand(),
      statusCommand(),
      explainCommand(),
      rebalanceCommand(),
      collectorCommand('drain'),
      collectorCommand('cordon'),
      collectorCommand('serve'),
      collectorCommand('forget'),
      commandsCommand(),
      configCommand(),
      handOverCommand('assigner', findProgram),
      handOverCommand('collector', findProgram),
      handOverCommand('agent', findProgram),
      handOverCommand('zookeeper', findProgram),
    ],
  })
}
