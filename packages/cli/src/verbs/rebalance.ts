import { rebalanceAnswerSchema, type RebalanceRequest } from '@catchment/protocol'
import { choiceSetting, defineCommand, toggleSetting, type BoundCommand } from '@catchment/runtime'
import { assignerSettings, withAssigner } from '../client/assigner-client.ts'
import { rebalanceLines } from '../view/explain-view.ts'
import { paletteOf } from '../view/palette.ts'

const settings = {
  ...assignerSettings,
  mode: choiceSetting({
    choices: ['local', 'global', 'hash-ring'],
    default: 'local',
    help: 'local: move only what relieves the busiest collectors; global: plan all groups from scratch; hash-ring: each to its place on the ring',
  }),
  dryRun: toggleSetting({ help: 'show what would move without moving it' }),
}

export function rebalanceCommand(): BoundCommand {
  return defineCommand({
    name: 'rebalance',
    help: 'Plan the assignment now and publish it',
    settings,
    run: async ({ assigner, mode, dryRun }, { signal, json, print, colours }) => {
      const request: RebalanceRequest = { mode, dryRun }
      await withAssigner(assigner, async (client) => {
        const answer = await client.ask({
          method: 'POST',
          path: '/v1/rebalance',
          json: request,
          schema: rebalanceAnswerSchema,
          signal,
        })
        const lines = json ? [JSON.stringify(answer)] : rebalanceLines(answer, dryRun, paletteOf(colours))
        for (const line of lines) print(line)
      })
    },
  })
}
