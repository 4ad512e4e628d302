// Server-sent events out of the pieces in which they arrive.
// Source: HTML Living Standard, section 9.2.6, "Interpreting an event stream" (data and event fields alone).

export interface ServerSentEvent {
  readonly event: string
  readonly data: string
}

/** What has arrived and is not yet a whole event. */
export interface EventBuffer {
  readonly rest: string
}

export const emptyEventBuffer: EventBuffer = { rest: '' }

/** The events that `text` completes. Events without data (comments, heartbeats) are passed over. */
export function takeEvents(
  buffer: EventBuffer,
  text: string,
): { readonly buffer: EventBuffer; readonly events: readonly ServerSentEvent[] } {
  const blocks = (buffer.rest + text).replaceAll('\r\n', '\n').split('\n\n')
  const rest = blocks.pop() ?? ''
  return { buffer: { rest }, events: blocks.flatMap((block) => eventOf(block)) }
}

function eventOf(block: string): ServerSentEvent[] {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    const match = /^(event|data): ?(.*)$/.exec(line)
    if (match?.[1] === 'event') event = match[2] ?? ''
    if (match?.[1] === 'data') data.push(match[2] ?? '')
  }
  return data.length === 0 ? [] : [{ event, data: data.join('\n') }]
}
