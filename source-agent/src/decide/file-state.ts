/**
 * - `live`: the file lies at the followed path. `rotated`: elsewhere, and may still be written.
 * - `deleted`: it has no name any more; a process may still hold it open and write, or link it again.
 * - `over`: read to its end for good, or its bytes cannot be had any more; forgotten as soon as all of it is durable.
 */
export type FileState = 'live' | 'rotated' | 'deleted' | 'over'

/** Which states may follow. A rotated file is renamed again, a deleted one is looked at again; `over` is the end. */
export const fileTransitions: Readonly<Record<FileState, readonly FileState[]>> = {
  live: ['rotated', 'deleted', 'over'],
  rotated: ['rotated', 'live', 'deleted', 'over'],
  deleted: ['deleted', 'live', 'rotated', 'over'],
  over: [],
}

/** `to`, if it may follow `from`. Throws otherwise: that is a mistake of this program. */
export function nextFileState(from: FileState, to: FileState): FileState {
  if (!fileTransitions[from].includes(to)) throw new Error(`a file that is ${from} cannot become ${to}`)
  return to
}
