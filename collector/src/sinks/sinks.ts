// The sinks that a collector delivers to. A new one is a file and a line here; its cursor is `cursors/<name>.json`.

import type { Sink } from '../delivery/sink.ts'
import { Mirror } from './mirror/mirror.ts'

export interface SinkSettings {
  /** Where the mirrored files stand. */
  readonly mirror: string
}

export type OpenSink = (settings: SinkSettings) => Promise<Sink>

export const mirrorName = 'mirror'

const sinks: Readonly<Record<string, OpenSink>> = {
  [mirrorName]: ({ mirror }) => Mirror.open(mirror),
}

/** All sinks, opened, by name. When one cannot be opened the others are closed again. */
export async function openSinks(settings: SinkSettings): Promise<ReadonlyMap<string, Sink>> {
  const opened = new Map<string, Sink>()
  try {
    for (const [name, openSink] of Object.entries(sinks)) opened.set(name, await openSink(settings))
    return opened
  } catch (thrown) {
    for (const sink of opened.values()) await sink.close()
    throw thrown
  }
}
