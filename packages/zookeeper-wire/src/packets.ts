import { JuteError } from './jute.ts'

/** Of the length in front of each packet. */
const lengthBytes = 4

/**
 * Cuts a stream of bytes into packets. A length is believed only up to the limit, and bytes are joined only when all have
 * come: a peer that announces much and sends little costs what it sent. Each connection has its own, so that half a packet
 * of a connection that was cut never meets the next one.
 */
export class PacketReader {
  readonly #packetBytesMax: number
  #chunks: Buffer[] = []
  #size = 0

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** The first four bytes, once they have come: a length, or a four-letter word. */
  peek(): Buffer | undefined {
    if (this.#size < lengthBytes) return undefined
    const [first] = this.#chunks
    return (first !== undefined && first.length >= lengthBytes ? first : this.#join()).subarray(0, lengthBytes)
  }

  /** The next packet, its length in front; undefined until it has come; 'tooLong' when it may never come. */
  next(): Buffer | 'tooLong' | undefined {
    const length = this.peek()?.readInt32BE()
    if (length === undefined) return undefined
    if (length < 0 || length > this.#packetBytesMax) return 'tooLong'
    const end = lengthBytes + length
    if (this.#size < end) return undefined
    const bytes = this.#join()
    this.#chunks = bytes.length === end ? [] : [bytes.subarray(end)]
    this.#size -= end
    return bytes.subarray(0, end)
  }

  /** The packets that `chunk` completes. Throws JuteError on a length that no peer may send. */
  *take(chunk: Buffer): Generator<Buffer> {
    this.push(chunk)
    for (let found = this.next(); found !== undefined; found = this.next()) {
      if (found === 'tooLong')
        throw new JuteError(
          `a packet has at most ${this.#packetBytesMax} bytes, this one claims ${String(this.peek()?.readInt32BE())}`,
        )
      yield found
    }
  }

  #join(): Buffer {
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return bytes
  }
}
