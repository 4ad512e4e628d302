// Names that travel, and how hostile or unlucky text becomes one. A group's name is a path in people's eyes (`web/0`,
// `host/var/log/app.log`), one segment in a URL, and a folder of the mirror, so it never holds an empty, `.` or `..` part.

import { fnv1a64 } from '@catchment/hashing'
import { z } from 'zod'
import { ProtocolError } from './errors.ts'

export const groupNameBytesMax = 200
export const memberIdBytesMax = 64
export const streamIdBytes = 16

const groupPart = /^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})+$/
const streamId = /^[0-9a-f]{32}$/
const memberId = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?$/
const plainBytes = new Set(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-'))
/** Every byte as it stands in a name. */
const encodedBytes = Array.from({ length: 256 }, (_, byte) =>
  plainBytes.has(byte) ? String.fromCharCode(byte) : percent(byte),
)

/**
 * Names are keys of JSON objects, here and at every reader: what every JavaScript object seems to have already
 * (`__proto__`, `constructor`, `toString`) would be lost, or found where nothing was written.
 */
function isInherited(text: string): boolean {
  return text in Object.prototype
}

/**
 * True for 1 to 200 bytes of parts joined by `/`, each of `[A-Za-z0-9._~-]` or `%XX`, none of them `.` or `..`; the
 * whole is no name that every JavaScript object has.
 */
export function isGroupName(text: string): boolean {
  if (text.length < 1 || text.length > groupNameBytesMax || isInherited(text)) return false
  return text.split('/').every((part) => groupPart.test(part) && part !== '.' && part !== '..')
}

export const groupNameSchema = z.string().refine(isGroupName, {
  error: `a group's name is 1 to ${groupNameBytesMax} bytes of [A-Za-z0-9._/~-], everything else as %XX, without an empty, . or .. part`,
})

/** True for what may name a collector, an assigner, an agent or a source. Cheap: it is asked of every frame. */
export function isMemberId(text: string): boolean {
  return text.length <= memberIdBytesMax && memberId.test(text) && !isInherited(text)
}

export const memberIdSchema = z.string().refine(isMemberId, {
  error: `an id is 1 to ${memberIdBytesMax} of [A-Za-z0-9._-], begins and ends with a letter, a digit or _, and is no name that every JavaScript object has`,
})

export function isStreamId(text: string): boolean {
  return streamId.test(text)
}

export const streamIdSchema = z.string().refine(isStreamId, { error: 'a stream id is 32 hexadecimal digits' })

/** The number of a change of the assignment; it only grows. */
export const epochSchema = z.number().int().nonnegative()

/**
 * Any text as a group's name: other bytes as %XX, empty parts dropped, `.` and `..` encoded, what is too long cut and
 * closed with `~` and 16 hexadecimal digits of a hash of the whole; of `constructor` and its like the first letter encoded.
 * `%` is encoded too, so a name is not to be encoded twice. Throws ProtocolError `bad-value` for an empty name.
 */
export function encodeGroupName(text: string): string {
  const parts = text
    .split('/')
    .filter((part) => part !== '')
    .map(encodePart)
  if (parts.length === 0)
    throw new ProtocolError('bad-value', `a group's name needs a character other than /: "${text}"`)
  const plain = parts.join('/')
  const name = isInherited(plain) ? percent(plain.charCodeAt(0)) + plain.slice(1) : plain
  return name.length <= groupNameBytesMax ? name : shortened(name, groupNameBytesMax)
}

/**
 * A part of a mirror's path, 1 to 120 bytes: bytes outside `[A-Za-z0-9_-]` and inner dots as %XX, cut and hashed past
 * 120 bytes. Nothing at all becomes `~`, so that a path of parts has as many as it was made of.
 */
export function encodePathPart(text: string): string {
  if (text === '') return '~'
  const bytes = Buffer.from(text)
  let encoded = ''
  for (const [index, byte] of bytes.entries()) {
    const dot = byte === 0x2e && index > 0 && index < bytes.length - 1
    const special = (byte === 0x2e && !dot) || byte === 0x7e
    encoded += special ? percent(byte) : (encodedBytes[byte] ?? '')
  }
  return encoded.length <= 120 ? encoded : shortened(encoded, 120)
}

function encodePart(part: string): string {
  if (part === '.' || part === '..') return part.replaceAll('.', '%2E')
  let encoded = ''
  for (const byte of Buffer.from(part)) encoded += encodedBytes[byte] ?? ''
  return encoded
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** Cut so that it does not end in half a %XX; a hash of the whole keeps it apart from other names that begin alike. */
function shortened(name: string, bytesMax: number): string {
  const kept = name.slice(0, bytesMax - 17).replace(/%[0-9A-F]?$/, '')
  return `${kept}~${fnv1a64(name)}`
}
