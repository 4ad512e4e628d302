// Cooling: while a collector is too hot it hands groups to the coldest, the smallest that suffices or else the largest
// that fits; where no single group fits it exchanges two, or hands over what at least lowers the peak of the pair. What
// is stuck (one group that outweighs a fair share, three groups on two collectors) stays as it is.
import type { Balancer } from './balancer.ts'
import type { Transfer } from './transfers.ts'

/** Receivers looked at for one hot collector. */
const RECEIVERS_MAX = 8
/** An operation that does not bring its two collectors below the stop must lower their peak by this. */
const GAIN_MIN = 0.001

/** Sheds until no collector is above `shedStop` or nothing helps. True when anything moved. */
export function shed(balancer: Balancer): boolean {
  const { hottest, options } = balancer
  if (hottest.size === 0 || balancer.pressure(hottest.at(0)) <= options.shedStart) return false
  let moved = false
  for (;;) {
    const { relieved, stuck } = pass(balancer)
    if (relieved) moved = true
    if (!relieved || stuck === 0) return moved
  }
}

/** Goes through all hot collectors once. What was stuck may be so no more after others moved: hence another pass. */
function pass(balancer: Balancer): { readonly relieved: boolean; readonly stuck: number } {
  const { hottest, options } = balancer
  const stuck: number[] = []
  let relieved = false
  while (hottest.size > 0 && balancer.pressure(hottest.at(0)) > options.shedStop) {
    const hot = hottest.at(0)
    if (relieve(balancer, hot)) {
      relieved = true
      continue
    }
    hottest.remove(hot)
    stuck.push(hot)
  }
  for (const collector of stuck) hottest.insert(collector)
  return { relieved, stuck: stuck.length }
}

function relieve(balancer: Balancer, hot: number): boolean {
  const transfer = transferFor(balancer, hot)
  if (transfer !== undefined) balancer.perform(transfer, 'balance')
  return transfer !== undefined
}

function transferFor(balancer: Balancer, hot: number): Transfer | undefined {
  const { transfers, options } = balancer
  const receivers = coldReceivers(balancer, hot)
  const shareMax = balancer.affordable('balance')
  for (const cold of receivers) {
    const transfer = transfers.handover({ hot, cold, shareMax }, options.shedStop, options.shedStop)
    if (transfer !== undefined) return transfer
  }
  let best: Transfer | undefined
  for (const cold of receivers) {
    const transfer = transfers.best({ hot, cold, shareMax }, options.shedStop, GAIN_MIN)
    if (transfer !== undefined && transfer.peak < (best?.peak ?? Infinity)) best = transfer
  }
  return best
}

function coldReceivers(balancer: Balancer, hot: number): number[] {
  const { coldest } = balancer
  const receivers: number[] = []
  for (let slot = 0, end = Math.min(coldest.size, RECEIVERS_MAX); slot < end; slot++) {
    if (coldest.at(slot) !== hot) receivers.push(coldest.at(slot))
  }
  return receivers.sort((a, b) => balancer.pressure(a) - balancer.pressure(b) || a - b)
}
