// Whether a request's body is read at all, from its headers: memory and disk are promised before they are used.

import { requestBytesMax } from '@catchment/protocol'

/** Bodies that are being read or wait for their fdatasync. */
export const inFlightBytesMax = 192 * 1024 * 1024

export interface Admission {
  readonly inFlightBytes: number
  readonly inFlightBytesMax: number
  readonly dataBytes: number
  readonly dataBytesMax: number
  /** Until when a disk that was full is left alone; monotonic. */
  readonly noSpaceUntilMs: number
  /** False before the collector has joined, and while it stops. */
  readonly open: boolean
}

export type Admitted =
  | { readonly kind: 'read'; readonly bytes: number }
  | {
      readonly kind: 'refuse'
      readonly status: number
      readonly code: string
      readonly message: string
      readonly retryAfterMs?: number
    }

const busyRetryMs = 1000

/** `contentLength`: the header as it came. */
export function admit(contentLength: string | undefined, state: Admission, nowMs: number): Admitted {
  if (contentLength === undefined || !/^\d{1,15}$/.test(contentLength))
    return refuse(411, 'length-required', 'a request for frames says its content-length; chunked bodies are not taken')
  const bytes = Number(contentLength)
  if (bytes > requestBytesMax)
    return refuse(413, 'too-large', `a request has at most ${requestBytesMax} bytes, this one ${bytes}: split it`)
  if (!state.open) return refuse(503, 'not-serving', 'this collector is starting or stopping', busyRetryMs)
  if (nowMs < state.noSpaceUntilMs)
    return refuse(507, 'no-space', 'the disk of this collector is full', state.noSpaceUntilMs - nowMs)
  if (state.inFlightBytes + bytes > state.inFlightBytesMax)
    return refuse(
      429,
      'busy',
      `${state.inFlightBytes} bytes are in flight, the limit is ${state.inFlightBytesMax}`,
      busyRetryMs,
    )
  if (state.dataBytes + state.inFlightBytes + bytes > state.dataBytesMax)
    return refuse(
      429,
      'disk-max',
      `${state.dataBytes} bytes are kept, the limit is ${state.dataBytesMax}, and the oldest are not delivered yet`,
      busyRetryMs,
    )
  return { kind: 'read', bytes }
}

/** Bytes that this collector has room for now. Counted as they travel, so in raw bytes there is room for no less. */
export function credit(state: Admission): number {
  const memory = state.inFlightBytesMax - state.inFlightBytes
  const disk = state.dataBytesMax - state.dataBytes - state.inFlightBytes
  return Math.max(0, Math.min(memory, disk))
}

function refuse(status: number, code: string, message: string, retryAfterMs?: number): Admitted {
  return { kind: 'refuse', status, code, message, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}
