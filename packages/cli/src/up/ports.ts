import { createServer } from 'node:net'
import { CatchmentError, codeOf } from '@catchment/runtime'

export const defaultPort = 7070

/**
 * Where the first assigner listens: `port` where it was asked for, else 7070, else any free one (`moved`). Throws
 * CatchmentError `port-in-use` for an explicit port. Another process may take the port before the assigner does: then the
 * start fails with the assigner's message.
 */
export async function choosePort(
  port: number | undefined,
  preferred: number = defaultPort,
): Promise<{ readonly listen: string; readonly moved: boolean }> {
  const wanted = port ?? preferred
  if (await isFree(wanted)) return { listen: `127.0.0.1:${wanted}`, moved: false }
  if (port !== undefined)
    throw new CatchmentError(
      'port-in-use',
      `cannot listen on 127.0.0.1:${port}: the port is in use by another process. Name another one with --port, or none for a free one`,
      { blame: 'operator' },
    )
  return { listen: '127.0.0.1:0', moved: true }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', (error) => {
      const code = codeOf(error)
      if (code === 'EADDRINUSE') resolve(false)
      else
        reject(
          new CatchmentError('bad-address', `cannot listen on 127.0.0.1:${port}: ${code ?? error.message}`, {
            blame: 'operator',
            cause: error,
          }),
        )
    })
    probe.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      probe.close(() => {
        resolve(true)
      })
    })
  })
}
