// Consistent hashing (Karger et al. 1997) with weights (Schindelhauer and Schomaker 2005, "Weighted distributed hash
// tables", the linear method).
//
// Every member has the same number of virtual nodes, whatever its capacity, and a key goes to the member whose next
// virtual node is nearest after the key's place, each distance divided by that member's capacity. Scaling the number of
// nodes instead would need a unit of capacity, and whenever the unit changed everything would move. So a member's nodes
// and distances depend on itself alone: one that comes takes keys, one that goes gives its own away, nothing else moves.
// Capacities are rounded to steps of a sixteenth of an octave (4 %), and the members of one step share a circle: nearest
// on each circle, then the best of the circles.
import { hash32, mix32 } from './hashes.ts'

const virtualNodes = 256
const stepsPerOctave = 16
const circumference = 2 ** 32

export interface CapacityMember {
  readonly id: string
  /** Positive and finite. Only the relation between members matters. */
  readonly capacity: number
}

export interface WeightedRing {
  /** The position of the key's owner in the list of members; -1 if there are none. */
  ownerOf(key: string): number
}

/** The virtual nodes of members of one capacity. */
interface Circle {
  readonly capacity: number
  /** Ascending, and the member at each place; at one place the first of the list. */
  readonly places: Uint32Array
  readonly owners: Int32Array
}

/** A ring of `members`. Where two are equally near the first in the list gets the key, so list them in the order of ids. */
export function weightedRing(members: readonly CapacityMember[]): WeightedRing {
  const steps = new Map<number, number[]>()
  for (const [position, { capacity }] of members.entries()) {
    const step = Math.round(Math.log2(capacity) * stepsPerOctave)
    const alike = steps.get(step)
    if (alike === undefined) steps.set(step, [position])
    else alike.push(position)
  }
  const circles = [...steps].sort(([a], [b]) => a - b).map(([step, alike]) => circleOf(members, step, alike))
  return { ownerOf: (key) => ownerOf(circles, hash32(key)) }
}

function circleOf(members: readonly CapacityMember[], step: number, alike: readonly number[]): Circle {
  // Place and owner in one number below 2^53, so that they sort as numbers.
  const nodes = new Float64Array(alike.length * virtualNodes)
  for (const [at, position] of alike.entries()) {
    // Two hashes of the id, start and odd stride: two ids that agree in one of them still have other nodes.
    const id = members[position]?.id ?? ''
    const start = hash32(id)
    const stride = hash32(`${id}#`) | 1
    for (let node = 0; node < virtualNodes; node++) {
      nodes[at * virtualNodes + node] = mix32(start + Math.imul(node, stride)) * alike.length + at
    }
  }
  nodes.sort()
  return {
    capacity: 2 ** (step / stepsPerOctave),
    places: Uint32Array.from(nodes, (node) => Math.floor(node / alike.length)),
    owners: Int32Array.from(nodes, (node) => alike[node % alike.length] ?? -1),
  }
}

function ownerOf(circles: readonly Circle[], place: number): number {
  let owner = -1
  let nearest = Infinity
  for (const { capacity, places, owners } of circles) {
    const at = nextPlace(places, place)
    const distance = (((places[at] ?? 0) - place + circumference) % circumference) / capacity
    const candidate = owners[at] ?? -1
    if (distance > nearest || (distance === nearest && candidate > owner)) continue
    nearest = distance
    owner = candidate
  }
  return owner
}

/** The first place at or after this one, around the circle. */
function nextPlace(places: Uint32Array, place: number): number {
  let low = 0
  let high = places.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((places[middle] ?? 0) >= place) high = middle
    else low = middle + 1
  }
  return low === places.length ? 0 : low
}
