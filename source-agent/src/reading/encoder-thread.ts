// A thread of encoder.ts. It imports nothing but zlib: its heap is to stay small.

import { parentPort } from 'node:worker_threads'
import { encode } from './encode.ts'

/** Bytes in shared memory, untouched until the answer. */
export interface CompressionRequest {
  readonly memory: SharedArrayBuffer
  readonly at: number
  readonly bytes: number
}

parentPort?.on('message', ({ memory, at, bytes }: CompressionRequest) => {
  const encoded = encode(Buffer.from(memory, at, bytes))
  parentPort?.postMessage(encoded, [encoded.payload.buffer])
})
