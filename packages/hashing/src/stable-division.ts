// Keys divided among members by their weights, the same wherever it is computed.
//
// Rendezvous hashing (Thaler and Ravishankar 1998; weights: Schindelhauer and Schomaker 2005), its loads bounded (Mirrokni,
// Thorup and Zadimoghaddam 2016) by deferred acceptance (Gale and Shapley 1962): each key asks the members from its best
// score down; a member keeps those that score best with it, up to its quota, and refuses the others, who ask on. The
// outcome is the one stable matching, whatever key asks first, and so it changes little when keys or members do.
import { mix32, unitHash32 } from './hashes.ts'

export interface WeightedMember {
  readonly id: string
  /** More than 0 and finite; 1 unless given. */
  readonly weight?: number | undefined
}

/** What a member may have above its share, so that a change of members displaces few keys beyond those that must move. */
const headroom = 1.05
const slots = 16_384

/** `keys` (each once) with the ids of their owners, in the order of keys; empty if there are no members. */
export function stableDivision(keys: readonly string[], members: readonly WeightedMember[]): Map<string, string> {
  const ordered = keys.toSorted()
  const owners = assign(ordered.map(unitHash32), candidatesOf(members))
  const division = new Map<string, string>()
  for (const [at, owner] of owners.entries()) division.set(ordered[at] ?? '', owner)
  return division
}

/** The owner of any key, listed or not, by a table of 16,384 slots that is divided as keys are; undefined without members. */
export function slotTable(members: readonly WeightedMember[]): (key: string) => string | undefined {
  const table = assign(
    Array.from({ length: slots }, (_, slot) => mix32(slot + 1)),
    candidatesOf(members),
  )
  return (key) => table[unitHash32(key) % slots]
}

interface Bidder {
  readonly id: string
  readonly weight: number
  /** Two hashes of the id: members that agree in one of them still score differently. */
  readonly hash: number
  readonly stride: number
  /** All weigh the same: the logarithm would change no order. */
  readonly plain: boolean
  quota: number
  kept: Suit[]
}

/** A key that has asked one candidate; the higher score is the better for both. */
interface Suit {
  readonly key: number
  readonly score: number
  readonly candidate: number
}

function candidatesOf(members: readonly WeightedMember[]): Bidder[] {
  const weights = new Map<string, number>()
  for (const { id, weight = 1 } of members) weights.set(id, Math.max(weight, weights.get(id) ?? 0))
  const plain = new Set(weights.values()).size === 1
  return [...weights]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([id, weight]) => ({
      id,
      weight,
      hash: unitHash32(id),
      stride: unitHash32(`${id}#`),
      plain,
      quota: 0,
      kept: [],
    }))
}

/** The owner of each key, by position. */
function assign(keys: readonly number[], candidates: readonly Bidder[]): string[] {
  if (candidates.length === 0) return []
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
  for (const candidate of candidates) candidate.quota = quotaOf((candidate.weight / total) * keys.length)
  let asking: Suit[] = keys.map((_, key) => ({ key, score: Infinity, candidate: -1 }))
  while (asking.length > 0) {
    const asked = new Set<Bidder>()
    for (const { key, score, candidate: refusedBy } of asking) {
      const suit = nextBest(key, keys[key] ?? 0, candidates, { score, candidate: refusedBy })
      const candidate = candidates[suit.candidate]
      if (candidate === undefined) continue
      candidate.kept.push(suit)
      asked.add(candidate)
    }
    asking = [...asked].flatMap(refuse)
  }
  const owners: string[] = []
  for (const { id, kept } of candidates) for (const { key } of kept) owners[key] = id
  return owners
}

/** Small shares are only rounded up: of ten keys each of five members gets two. */
function quotaOf(share: number): number {
  return Math.max(Math.ceil(share), Math.floor(share * headroom))
}

/** Keeps the best within the quota; the others go. */
function refuse(candidate: Bidder): Suit[] {
  if (candidate.kept.length <= candidate.quota) return []
  candidate.kept.sort((one, other) => other.score - one.score || one.key - other.key)
  return candidate.kept.splice(candidate.quota)
}

/** The best candidate after that which refused. */
function nextBest(
  key: number,
  hash: number,
  candidates: readonly Bidder[],
  after: { score: number; candidate: number },
): Suit {
  let best = { key, score: -Infinity, candidate: -1 }
  for (let at = 0; at < candidates.length; at++) {
    const candidate = candidates[at]
    if (candidate === undefined) continue
    const score = scoreOf(hash, candidate)
    if (score <= best.score || score > after.score || (score === after.score && at <= after.candidate)) continue
    best = { key, score, candidate: at }
  }
  return best
}

/** Of many such scores each is the greatest in proportion to its weight. */
function scoreOf(hash: number, candidate: Bidder): number {
  const high = mix32(hash ^ candidate.hash)
  const low = mix32(Math.imul(high, 0x9e3779b1) + candidate.stride)
  const uniform = high * 2 ** 21 + (low >>> 11)
  return candidate.plain ? uniform : -candidate.weight / Math.log((uniform + 0.5) / 2 ** 53)
}
