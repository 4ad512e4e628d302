// A collector that has just joined receives its fair share and not more, each time from the hottest: first what that
// one has above its own fair share, so that no giver becomes a cold one.
import { i32, item } from './arrays.ts'
import type { Balancer } from './balancer.ts'
import type { Pair, Transfer } from './transfers.ts'

const FAIR = 1
/** A joiner is full when it is this near to its fair share: the last crumbs cost moves and gain nothing. */
const FULL = 0.98

/** Fills every joiner, coldest first. True when anything moved. */
export function fillJoiners(balancer: Balancer): boolean {
  const { model } = balancer.working
  const { joinStart, joinStop } = balancer.options
  const joiners: number[] = []
  for (let at = 0; at < model.serving.length; at++) {
    const collector = i32(model.serving, at)
    const below = item(model.collectors, collector).joining === true ? joinStop : joinStart
    if (balancer.pressure(collector) < below) joiners.push(collector)
  }
  joiners.sort((a, b) => balancer.pressure(a) - balancer.pressure(b) || a - b)
  let moved = false
  for (const joiner of joiners) if (fill(balancer, joiner)) moved = true
  return moved
}

function fill(balancer: Balancer, joiner: number): boolean {
  const { hottest } = balancer
  const aside: number[] = []
  let moved = false
  while (hottest.size > 0 && balancer.pressure(joiner) < FULL) {
    const hot = hottest.at(0)
    if (balancer.pressure(hot) <= FAIR || hot === joiner) break
    const transfer = gift(balancer, { hot, cold: joiner, shareMax: balancer.affordable('join') })
    if (transfer === undefined) {
      hottest.remove(hot)
      aside.push(hot)
    } else {
      balancer.perform(transfer, 'join')
      moved = true
    }
  }
  for (const collector of aside) hottest.insert(collector)
  return moved
}

function gift({ transfers }: Balancer, pair: Pair): Transfer | undefined {
  return transfers.surplus(pair, FAIR, FAIR) ?? transfers.handover(pair, FAIR, FAIR)
}
