// Hash functions, and rings that give every key an owner. What is stored or shared depends on their values: none may change.
export { fnv1a32, fnv1a64, hash32, mix32, unitHash32 } from './hashes.ts'
export { slotTable, stableDivision, type WeightedMember } from './stable-division.ts'
export { weightedRing, type CapacityMember, type WeightedRing } from './weighted-ring.ts'
