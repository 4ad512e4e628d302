import { CatchmentError } from '@catchment/runtime'
import { emptyEventBuffer, takeEvents, type ServerSentEvent } from '../decide/event-lines.ts'

/** What of one unfinished event is kept: a tree of a million groups is smaller. */
const eventCharactersMax = 256 * 1024 * 1024

/** The events at `url` until `signal` aborts (then it returns) or the stream ends or breaks (then it throws). */
export async function* eventsAt(url: string, signal: AbortSignal): AsyncGenerator<ServerSentEvent> {
  const answer = await fetch(url, { signal, headers: { accept: 'text/event-stream' } })
  if (answer.status !== 200 || answer.body === null)
    throw new CatchmentError('no-events', `${url} answered ${answer.status}`, { blame: 'peer' })
  let buffer = emptyEventBuffer
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    const taken = takeEvents(buffer, text)
    buffer = taken.buffer
    if (buffer.rest.length > eventCharactersMax)
      throw new CatchmentError('too-large', `an event of ${url} is larger than ${eventCharactersMax} characters`, {
        blame: 'peer',
      })
    yield* taken.events
  }
  throw new CatchmentError('ended', `${url} ended the stream`, { blame: 'peer', retryable: true })
}
