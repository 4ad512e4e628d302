// One file of the transaction log: a head, then records, then zeros.
//
//   head:   'CZLG' · version u32 · first zxid i64
//   record: length u32 · crc32 u32 of what follows · durable u64 · transaction
//
// The zeros are written ahead of the records, because fdatasync is an order of magnitude faster when it need not move
// the end of the file. `durable` is the offset up to which this file was known to be on disk when the record was
// written. A crash tears the tail: what follows the last whole record was never acknowledged, and is cut. But a broken
// record below the `durable` of a later one was acknowledged: that is damage, not a torn tail, and is never cut.

import { open, readFile, type FileHandle } from 'node:fs/promises'
import { crc32 } from 'node:zlib'
import { CatchmentError } from '@catchment/runtime'
import { JuteError } from '@catchment/zookeeper-wire'
import { decodeTransaction, type Transaction } from '../tree/changes.ts'

const MAGIC = Buffer.from('CZLG')
/** 2 has the same shape as 1, but knows owners that are no sessions (owner.ts): who knows 1 alone would misread them. */
const VERSION = 2
const versionsRead = [1, 2]
const HEAD_BYTES = 16
const RECORD_HEAD_BYTES = 8
const DURABLE_BYTES = 8
const PREALLOCATED_BYTES = 1024 * 1024

export class LogFile {
  readonly path: string
  readonly #handle: FileHandle
  #end = HEAD_BYTES
  #allocated = 0

  private constructor(path: string, handle: FileHandle) {
    this.path = path
    this.#handle = handle
  }

  /** Begins a log whose first transaction will be `firstZxid`. Its name is durable once the directory is synced. */
  static async create(path: string, firstZxid: bigint): Promise<LogFile> {
    const file = new LogFile(path, await open(path, 'w', 0o600))
    const head = Buffer.alloc(HEAD_BYTES)
    MAGIC.copy(head)
    head.writeUInt32BE(VERSION, 4)
    head.writeBigInt64BE(firstZxid, 8)
    await file.#allocate(HEAD_BYTES)
    await file.#write(head, 0)
    await file.#handle.sync()
    return file
  }

  /** Bytes of head and records. */
  get size(): number {
    return this.#end
  }

  /** Appends records and resolves when they are on disk. After a failure the file is unusable: no one knows what it holds. */
  async append(transactions: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(transactions.map((transaction) => record(transaction, this.#end)))
    const end = this.#end + bytes.length
    if (end > this.#allocated) await this.#allocate(end)
    await this.#write(bytes, this.#end)
    await this.#handle.datasync()
    this.#end = end
  }

  close(): Promise<void> {
    return this.#handle.close()
  }

  async #allocate(end: number): Promise<void> {
    const zeros = Buffer.alloc(Math.ceil(end / PREALLOCATED_BYTES) * PREALLOCATED_BYTES - this.#allocated)
    await this.#write(zeros, this.#allocated)
    this.#allocated += zeros.length
  }

  async #write(bytes: Buffer, position: number): Promise<void> {
    for (let written = 0; written < bytes.length;) {
      const rest = bytes.subarray(written)
      written += (await this.#handle.write(rest, 0, rest.length, position + written)).bytesWritten
    }
  }
}

function record(transaction: Buffer, durable: number): Buffer {
  const bytes = Buffer.allocUnsafe(RECORD_HEAD_BYTES + DURABLE_BYTES + transaction.length)
  bytes.writeUInt32BE(DURABLE_BYTES + transaction.length)
  bytes.writeBigUInt64BE(BigInt(durable), RECORD_HEAD_BYTES)
  bytes.set(transaction, RECORD_HEAD_BYTES + DURABLE_BYTES)
  bytes.writeUInt32BE(crc32(bytes.subarray(RECORD_HEAD_BYTES)), 4)
  return bytes
}

/**
 * The whole records of a log file, in order; a torn tail is left out.
 * Throws CatchmentError `zookeeper-damaged` when acknowledged transactions cannot be read.
 */
export async function readLog(path: string): Promise<Transaction[]> {
  const bytes = await readFile(path)
  if (bytes.length < HEAD_BYTES || bytes.subarray(0, HEAD_BYTES).every((byte) => byte === 0)) return [] // torn at birth
  if (!bytes.subarray(0, 4).equals(MAGIC) || !versionsRead.includes(bytes.readUInt32BE(4)))
    throw damaged(path, 'it does not begin like a log of a known version')
  const transactions: Transaction[] = []
  let offset = HEAD_BYTES
  for (;;) {
    const found = recordAt(bytes, offset)
    if (found === undefined) break
    transactions.push(decode(found.transaction, path, offset))
    offset = found.end
  }
  const later = acknowledgedAfter(bytes, offset)
  if (later !== undefined)
    throw damaged(path, `the record at ${offset} is broken, and the one at ${later} proves that it was whole once`)
  return transactions
}

interface FoundRecord {
  readonly durable: number
  readonly transaction: Buffer
  readonly end: number
}

function recordAt(bytes: Buffer, offset: number): FoundRecord | undefined {
  if (offset + RECORD_HEAD_BYTES + DURABLE_BYTES > bytes.length) return undefined
  const length = bytes.readUInt32BE(offset)
  const start = offset + RECORD_HEAD_BYTES
  if (length < DURABLE_BYTES || start + length > bytes.length) return undefined
  const body = bytes.subarray(start, start + length)
  if (crc32(body) !== bytes.readUInt32BE(offset + 4)) return undefined
  return {
    durable: Number(body.readBigUInt64BE()),
    transaction: body.subarray(DURABLE_BYTES),
    end: start + length,
  }
}

/** Where a whole record stands after `broken` that was written when `broken` was already durable. */
function acknowledgedAfter(bytes: Buffer, broken: number): number | undefined {
  for (let offset = broken + 1; offset < bytes.length; offset += 1) {
    if (bytes[offset] === 0 && bytes[offset + 1] === 0 && bytes[offset + 2] === 0 && bytes[offset + 3] === 0) continue
    const found = recordAt(bytes, offset)
    if (found !== undefined && found.durable > broken) return offset
  }
  return undefined
}

function decode(transaction: Buffer, path: string, offset: number): Transaction {
  try {
    return decodeTransaction(transaction)
  } catch (thrown) {
    if (!(thrown instanceof JuteError)) throw thrown
    throw damaged(path, `the record at ${offset} is whole but no transaction: ${thrown.message}`)
  }
}

export function damaged(path: string, what: string): CatchmentError {
  return new CatchmentError(
    'zookeeper-damaged',
    `cannot read ${path}: ${what}. Restore the data directory from a copy; nothing has been changed in it`,
    { blame: 'machine' },
  )
}
