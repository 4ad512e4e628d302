import { encodeGroupName, explainAnswerSchema, isGroupName } from '@catchment/protocol'
import { defineCommand, usage, type BoundCommand } from '@catchment/runtime'
import { assignerSettings, withAssigner } from '../client/assigner-client.ts'
import { askTree } from '../client/tree-feed.ts'
import { explainLines, namesLike } from '../view/explain-view.ts'
import { paletteOf } from '../view/palette.ts'
import { timeOfDay } from '../view/time.ts'

export function explainCommand(): BoundCommand {
  return defineCommand({
    name: 'explain',
    help: 'Show where a group is and the decisions that brought it there',
    settings: assignerSettings,
    arguments: [{ name: 'GROUP', help: 'name of the group, as "catchment tree" shows it', required: true }],
    run: async ({ assigner }, { arguments: [argument], signal, json, print, colours }) => {
      if (argument === undefined) throw usage('explain needs the name of a group: catchment explain GROUP')
      const group = isGroupName(argument) ? argument : encodeGroupName(argument)
      await withAssigner(assigner, async (client) => {
        const answer = await client.ask({
          method: 'GET',
          path: `/v1/groups/${encodeURIComponent(group)}/explain`,
          schema: explainAnswerSchema,
          signal,
        })
        const lines = json ? [JSON.stringify(answer)] : explainLines(answer, paletteOf(colours), timeOfDay)
        for (const line of lines) print(line)
        if (json || answer.how !== 'unknown') return
        const names = namesLike(group, await askTree(client, signal))
        if (names.length > 0) print(`Did you mean ${names.join(' or ')}?`)
      })
    },
  })
}
