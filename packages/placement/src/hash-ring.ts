// The strategy `hash-ring`: consistent hashing (Karger et al. 1997) with weights (Schindelhauer and Schomaker 2005,
// "Weighted distributed hash tables", the linear method).
//
// Every collector has the same number of virtual nodes, whatever its capacity, and a group goes to the collector whose
// next virtual node is nearest after the group's place, each distance divided by that collector's capacity. Scaling the
// number of nodes instead would need a unit of capacity, and whenever the unit changed everything would move. So a
// collector's nodes and distances depend on itself alone: one that comes takes groups, one that goes gives its own
// away, nothing else moves. Capacities are rounded to steps of a sixteenth of an octave (4 %), and the collectors of
// one step share a ring: nearest in each ring, then the best of the rings.
//
// It does not look at loads. Groups on cordoned collectors stay where they are.
import { f64, i32, item, u32 } from './arrays.ts'
import { hash32, mix32 } from './hash.ts'
import { WorkingPlan } from './working-plan.ts'
import type { Model } from './model.ts'
import { groupsWhere, isForced, isKept, reasonOf } from './model.ts'
import type { PlanOptions } from './options.ts'
import { largestFirst } from './ordering.ts'
import { DIMENSIONS } from './weights.ts'

const VIRTUAL_NODES = 256
const STEPS_PER_OCTAVE = 16
const CIRCLE = 2 ** 32

interface Ring {
  readonly capacity: number
  /** Ascending, and the collector at each place; at one place the first by id. */
  readonly places: Uint32Array
  readonly owners: Int32Array
}

export function planHashRing(model: Model, options: PlanOptions): WorkingPlan {
  const working = new WorkingPlan(model)
  const rings = ringsOf(model)
  const movable = groupsWhere(model, (group) => !isKept(model, group) && (options.balance || isForced(model, group)))
  for (const group of largestFirst(model, movable)) {
    const to = ownerOf(rings, hash32(item(model.groups, group).name))
    if (to !== i32(working.server, group)) working.move(group, to, reasonOf(model, group, 'ring'))
  }
  return working
}

/** The ring's capacity: bytes per second, or records per second when nobody states bytes. */
function stepOf(model: Model, collector: number): number {
  const bytes = f64(model.capacity, collector * DIMENSIONS)
  const capacity = bytes > 0 ? bytes : f64(model.capacity, collector * DIMENSIONS + 1)
  return Math.round(Math.log2(capacity) * STEPS_PER_OCTAVE)
}

function ringsOf(model: Model): Ring[] {
  const steps = new Map<number, number[]>()
  for (const collector of model.serving) {
    const step = stepOf(model, collector)
    const alike = steps.get(step)
    if (alike === undefined) steps.set(step, [collector])
    else alike.push(collector)
  }
  return [...steps].sort(([a], [b]) => a - b).map(([step, alike]) => ringOf(model, step, alike))
}

function ringOf(model: Model, step: number, alike: readonly number[]): Ring {
  // Place and owner in one number below 2^53, so that they sort as numbers.
  const nodes = new Float64Array(alike.length * VIRTUAL_NODES)
  for (const [at, collector] of alike.entries()) {
    // Two hashes of the id, start and odd stride: two ids that agree in one of them still have other nodes.
    const { id } = item(model.collectors, collector)
    const start = hash32(id)
    const stride = hash32(`${id}#`) | 1
    for (let node = 0; node < VIRTUAL_NODES; node++) {
      nodes[at * VIRTUAL_NODES + node] = mix32(start + Math.imul(node, stride)) * alike.length + at
    }
  }
  nodes.sort()
  return {
    capacity: 2 ** (step / STEPS_PER_OCTAVE),
    places: Uint32Array.from(nodes, (node) => Math.floor(node / alike.length)),
    owners: Int32Array.from(nodes, (node) => item(alike, node % alike.length)),
  }
}

function ownerOf(rings: readonly Ring[], place: number): number {
  let owner = -1
  let nearest = Infinity
  for (const { capacity, places, owners } of rings) {
    const at = nextPlace(places, place)
    const distance = ((u32(places, at) - place + CIRCLE) % CIRCLE) / capacity
    const candidate = i32(owners, at)
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
    if (u32(places, middle) >= place) high = middle
    else low = middle + 1
  }
  return low === places.length ? 0 : low
}
