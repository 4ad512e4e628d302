import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestBytesMax } from '@catchment/protocol'
import { CatchmentError, type Clock } from '@catchment/runtime'

/** What of a refused body is read away and dropped, so that the client reads the answer instead of meeting a reset. */
const discardedBytesMax = requestBytesMax
const discardMs = 1000

/**
 * The whole body, of exactly `bytes` bytes. Throws CatchmentError `slow-client` when it is not here after `timeoutMs`,
 * `cut-body` when the client goes away before.
 */
export function readBody(
  request: IncomingMessage,
  options: { readonly bytes: number; readonly timeoutMs: number; readonly clock: Clock },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const body = Buffer.allocUnsafeSlow(options.bytes)
    let filled = 0
    const end = (error: CatchmentError | undefined): void => {
      timer.cancel()
      request.removeListener('data', onData).removeListener('end', onEnd).removeListener('close', onCut)
      if (error === undefined) resolve(body)
      else reject(error)
    }
    const onData = (chunk: Buffer): void => {
      filled += chunk.copy(body, filled)
    }
    const cut = `the request ended after ${options.bytes} bytes were promised`
    const onCut = (): void => {
      end(new CatchmentError('cut-body', cut, { blame: 'peer', retryable: true }))
    }
    const onEnd = (): void => {
      if (filled === options.bytes) end(undefined)
      else onCut()
    }
    const timer = options.clock.after(options.timeoutMs, () => {
      const slow = `the body of ${options.bytes} bytes was not here after ${options.timeoutMs} ms`
      end(new CatchmentError('slow-client', slow, { blame: 'peer', retryable: true }))
    })
    request.on('data', onData).on('end', onEnd).on('close', onCut).on('error', onCut)
  })
}

/** Reads away a body that was refused, a little of it; then the connection is cut. */
export function discard(request: IncomingMessage, response: ServerResponse, clock: Clock): void {
  let discarded = 0
  const timer = clock.after(discardMs, () => {
    request.destroy()
  })
  request.on('data', (chunk: Buffer) => {
    discarded += chunk.length
    if (discarded > discardedBytesMax && response.writableFinished) request.destroy()
  })
  request.on('error', () => {
    timer.cancel()
  })
  request.on('close', () => {
    timer.cancel()
  })
}
