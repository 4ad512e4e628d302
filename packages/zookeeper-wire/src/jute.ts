// Jute is ZooKeeper's serialisation (org.apache.jute.BinaryOutputArchive): big-endian integers, lengths before strings, buffers
// and vectors, -1 for none. Reader and writer are all there is to it; which field follows which is known to client and
// server.
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

/** Reads numbers and texts in their order. Throws JuteError where the bytes end too early or hold something else. */
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

  /** A transaction id or a session: 16 hex digits. */
  hex(): string {
    const start = this.#take(8)
    return this.#bytes.toString('hex', start, start + 8)
  }

  /** A view of the input, not a copy; null for none. */
  buffer(): Buffer | null {
    const length = this.#length('buffer')
    if (length === -1) return null
    const start = this.#take(length)
    return this.#bytes.subarray(start, start + length)
  }

  /** A copy, which does not keep the packet in memory; empty for none. */
  bytes(): Buffer {
    return Buffer.from(this.buffer() ?? [])
  }

  string(): string {
    const length = this.#length('string')
    if (length === -1) throw new JuteError('a string is null where one is needed')
    const start = this.#take(length)
    return this.#bytes.toString('utf8', start, start + length)
  }

  /** None is empty. */
  vector<T>(element: () => T): T[] {
    return Array.from({ length: Math.max(0, this.#length('vector')) }, element)
  }

  strings(): string[] {
    return this.vector(() => this.string())
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

export class JuteWriter {
  #bytes: Buffer
  #length = 0

  constructor(expectedBytes = 256) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes)
  }

  bool(value: boolean): this {
    this.#reserve(1)
    this.#length = this.#bytes.writeUInt8(value ? 1 : 0, this.#length)
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

  string(text: string): this {
    this.#reserve(4 + 3 * text.length)
    const written = this.#bytes.write(text, this.#length + 4)
    this.#length = this.#bytes.writeInt32BE(written, this.#length) + written
    return this
  }

  vector<T>(values: Iterable<T>, length: number, element: (value: T) => void): this {
    this.int(length)
    for (const value of values) element(value)
    return this
  }

  strings(texts: readonly string[]): this {
    return this.vector(texts, texts.length, (text) => this.string(text))
  }

  /** What was written, as a view that stays valid: a writer is used once. */
  end(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  /** As end(), with its length put into the first four bytes, which were left for it: a packet as it travels. */
  packet(): Buffer {
    this.#bytes.writeInt32BE(this.#length - 4, 0)
    return this.end()
  }

  #reserve(length: number): void {
    const needed = this.#length + length
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

export type WriteBody = (writer: JuteWriter) => unknown

/** A packet as it travels: its length, then its bytes. */
export function packet(write: WriteBody, expectedBytes?: number): Buffer {
  const writer = new JuteWriter(expectedBytes).int(0)
  write(writer)
  return writer.packet()
}
