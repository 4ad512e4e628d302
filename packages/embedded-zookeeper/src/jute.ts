// Jute is ZooKeeper's serialisation (Hadoop's old record format): big-endian integers, lengths before strings, buffers
// and vectors, -1 for null. Reader and writer are all there is to it; which field follows which stands in wire.ts.
//
// The reader is fed by strangers. It never reads past its bytes and never allocates more than they hold: every length
// is compared with what is left before it is used.

/** The bytes are no jute of the expected shape. */
export class JuteError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'JuteError'
  }
}

export class JuteReader {
  readonly #bytes: Buffer
  #offset: number

  constructor(bytes: Buffer, offset = 0) {
    this.#bytes = bytes
    this.#offset = offset
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  bool(): boolean {
    return this.#bytes.readInt8(this.#take(1)) !== 0
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  long(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8))
  }

  /** A view of the input, not a copy: whoever keeps it copies it. */
  buffer(): Buffer | null {
    const length = this.#length('buffer')
    if (length === -1) return null
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  string(): string {
    const bytes = this.buffer()
    if (bytes === null) throw new JuteError('a string is null where one is needed')
    return bytes.toString('utf8')
  }

  vector<T>(element: () => T): T[] | null {
    const length = this.#length('vector')
    if (length === -1) return null
    return Array.from({ length }, element)
  }

  /** An element has at least one byte, so that a length never exceeds what is left. */
  #length(what: string): number {
    const length = this.int()
    if (length < -1 || length > this.remaining)
      throw new JuteError(`a ${what} of ${length} elements in ${this.remaining} bytes`)
    return length
  }

  #take(length: number): number {
    if (length > this.remaining) throw new JuteError(`${length} bytes needed, ${this.remaining} left`)
    const start = this.#offset
    this.#offset += length
    return start
  }
}

const FIRST_BYTES = 256

export class JuteWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES)
  #length = 0

  bool(value: boolean): this {
    this.#reserve(1)
    this.#length = this.#bytes.writeInt8(value ? 1 : 0, this.#length)
    return this
  }

  int(value: number): this {
    this.#reserve(4)
    this.#length = this.#bytes.writeInt32BE(value, this.#length)
    return this
  }

  long(value: bigint): this {
    this.#reserve(8)
    this.#length = this.#bytes.writeBigInt64BE(value, this.#length)
    return this
  }

  buffer(value: Uint8Array | null): this {
    if (value === null) return this.int(-1)
    this.int(value.length)
    this.#reserve(value.length)
    this.#bytes.set(value, this.#length)
    this.#length += value.length
    return this
  }

  string(value: string): this {
    const length = Buffer.byteLength(value)
    this.int(length)
    this.#reserve(length)
    this.#length += this.#bytes.write(value, this.#length)
    return this
  }

  vector<T>(values: Iterable<T>, length: number, element: (value: T) => void): this {
    this.int(length)
    for (const value of values) element(value)
    return this
  }

  /** What was written, as a view that stays valid: a writer is used once. */
  end(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  #reserve(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

/** A packet as it travels: its length, then its bytes. */
export function packet(write: (writer: JuteWriter) => void): Buffer {
  const writer = new JuteWriter().int(0)
  write(writer)
  const bytes = writer.end()
  bytes.writeInt32BE(bytes.length - 4)
  return bytes
}
