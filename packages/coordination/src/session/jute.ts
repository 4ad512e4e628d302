// Jute, ZooKeeper's encoding (org.apache.jute.BinaryOutputArchive): big-endian numbers; strings, buffers and vectors behind
// their length, -1 for none. A packet is such bytes behind their own length.

/** The number of a request stands here once it is sent: behind the length. */
const numberAt = 4

export type WriteBody = (writer: JuteWriter) => unknown

export class JuteWriter {
  #bytes: Buffer
  #size = 0

  constructor(expectedBytes = 128) {
    this.#bytes = Buffer.allocUnsafe(expectedBytes)
  }

  bool(value: boolean): this {
    this.#room(1)
    this.#size = this.#bytes.writeUInt8(value ? 1 : 0, this.#size)
    return this
  }

  int(value: number): this {
    this.#room(4)
    this.#size = this.#bytes.writeInt32BE(value, this.#size)
    return this
  }

  long(value: bigint): this {
    this.#room(8)
    this.#size = this.#bytes.writeBigInt64BE(value, this.#size)
    return this
  }

  string(text: string): this {
    this.#room(4 + 3 * text.length)
    const written = this.#bytes.write(text, this.#size + 4)
    this.#size = this.#bytes.writeInt32BE(written, this.#size) + written
    return this
  }

  buffer(bytes: Uint8Array): this {
    this.int(bytes.length)
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.#size)
    this.#size += bytes.length
    return this
  }

  strings(texts: readonly string[]): this {
    this.int(texts.length)
    for (const text of texts) this.string(text)
    return this
  }

  /** What was written, with its length put into its first four bytes, which were left for it. */
  packet(): Buffer {
    this.#bytes.writeInt32BE(this.#size - 4, 0)
    return this.#bytes.subarray(0, this.#size)
  }

  #room(bytes: number): void {
    if (this.#size + bytes <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#size + bytes))
    this.#bytes.copy(grown, 0, 0, this.#size)
    this.#bytes = grown
  }
}

/** A request of this type without its number; `numbered` puts it in when it is sent. */
export function requestPacket(type: number, body: WriteBody | undefined, expectedBytes?: number): Buffer {
  const writer = new JuteWriter(expectedBytes).int(0).int(0).int(type)
  body?.(writer)
  return writer.packet()
}

export function numbered(packet: Buffer, xid: number): Buffer {
  packet.writeInt32BE(xid, numberAt)
  return packet
}

/** Reads what servers send. Throws RangeError where the bytes end too early. Buffers are copies. */
export class JuteReader {
  readonly #bytes: Buffer
  #at: number

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes
    this.#at = at
  }

  bool(): boolean {
    this.#at += 1
    return this.#bytes.readUInt8(this.#at - 1) === 1
  }

  int(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  long(): bigint {
    this.#at += 8
    return this.#bytes.readBigInt64BE(this.#at - 8)
  }

  /** A transaction id or a session: 16 hex digits. */
  hex(): string {
    this.#at += 8
    if (this.#at > this.#bytes.length) throw new RangeError('the packet ends within a number')
    return this.#bytes.toString('hex', this.#at - 8, this.#at)
  }

  string(): string {
    const end = this.#endOf(this.int())
    const text = this.#bytes.toString('utf8', this.#at, end)
    this.#at = end
    return text
  }

  buffer(): Buffer {
    const end = this.#endOf(this.int())
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, end))
    this.#at = end
    return bytes
  }

  vector<T>(readOne: () => T): T[] {
    const length = this.int()
    if (length > this.#bytes.length - this.#at) throw new RangeError(`a vector of ${length} in a packet that ends`)
    return Array.from({ length: Math.max(0, length) }, readOne)
  }

  strings(): string[] {
    return this.vector(() => this.string())
  }

  /** Where something of this length ends; none (-1) is empty. */
  #endOf(length: number): number {
    const end = this.#at + Math.max(0, length)
    if (end > this.#bytes.length) throw new RangeError(`${length} bytes in a packet that ends`)
    return end
  }
}
