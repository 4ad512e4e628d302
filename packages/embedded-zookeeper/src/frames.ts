// Cuts a byte stream into packets. A length is believed only up to the limit, and bytes are joined only when all have
// come: a peer that announces much and sends little costs what it sent.

const LENGTH_BYTES = 4

export class FrameReader {
  readonly #frameBytesMax: number
  #chunks: Buffer[] = []
  #size = 0

  constructor(frameBytesMax: number) {
    this.#frameBytesMax = frameBytesMax
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#size += chunk.length
  }

  /** The first four bytes, once they have come: a length, or a four-letter word. */
  peek(): Buffer | undefined {
    if (this.#size < LENGTH_BYTES) return undefined
    const [first] = this.#chunks
    if (first !== undefined && first.length >= LENGTH_BYTES) return first.subarray(0, LENGTH_BYTES)
    return this.#join().subarray(0, LENGTH_BYTES)
  }

  /** The next packet without its length; undefined until it has come; 'tooLong' when it may never come. */
  next(): Buffer | 'tooLong' | undefined {
    const length = this.peek()?.readInt32BE()
    if (length === undefined) return undefined
    if (length < 0 || length > this.#frameBytesMax) return 'tooLong'
    const end = LENGTH_BYTES + length
    if (this.#size < end) return undefined
    const bytes = this.#join()
    this.#chunks = bytes.length === end ? [] : [bytes.subarray(end)]
    this.#size -= end
    return bytes.subarray(LENGTH_BYTES, end)
  }

  #join(): Buffer {
    const [first] = this.#chunks
    const bytes = this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks)
    this.#chunks = [bytes]
    return bytes
  }
}
