// Reading typed arrays under noUncheckedIndexedAccess: an index beyond the end is our bug and must not become a zero.
// One function for each kind of array, because V8 inlines them only while they see a single kind.

function outside(index: number, length: number): RangeError {
  return new RangeError(`read index ${index} of an array of ${length}: this is a defect of the planner`)
}

export function f64(array: Float64Array, index: number): number {
  const value = array[index]
  if (value === undefined) throw outside(index, array.length)
  return value
}

export function i32(array: Int32Array, index: number): number {
  const value = array[index]
  if (value === undefined) throw outside(index, array.length)
  return value
}

export function u32(array: Uint32Array, index: number): number {
  const value = array[index]
  if (value === undefined) throw outside(index, array.length)
  return value
}

export function item<T>(array: readonly T[], index: number): T {
  const value = array[index]
  if (value === undefined) throw outside(index, array.length)
  return value
}
