import { isIP } from 'node:net'
import { CatchmentError } from '../errors.ts'

/** `HOST:PORT` in its parts; `[::1]:80` too. Throws CatchmentError `bad-address`. */
export function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535)
    throw new CatchmentError(
      'bad-address',
      `cannot listen on "${text}": an address is HOST:PORT, for example 127.0.0.1:7070`,
      {
        blame: 'operator',
      },
    )
  return { host: match[1] ?? (match[2] === '' ? '127.0.0.1' : (match[2] ?? '127.0.0.1')), port }
}

/** Throws CatchmentError `insecure` unless `host` is loopback or `insecure` says that this is wanted. */
export function refuseInsecure(host: string, insecure: boolean): void {
  const loopback = host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
  if (!loopback && !insecure)
    throw new CatchmentError(
      'insecure',
      `refused to listen on ${host}: it is beyond loopback, and there is neither TLS nor a token. Listen on 127.0.0.1, or say --insecure if the network itself is trusted`,
      { blame: 'operator' },
    )
}
