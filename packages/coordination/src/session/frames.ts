/**
 * Cuts a stream of bytes into packets of the ZooKeeper protocol: four bytes of length, then as many bytes. Each connection
 * has its own, so that half a packet of a cut connection never meets the next one. Bytes are joined once per packet.
 */
export class Frames {
  #chunks: Buffer[] = []
  #bytes = 0
  readonly #packetBytesMax: number

  constructor(packetBytesMax: number) {
    this.#packetBytesMax = packetBytesMax
  }

  /** The packets that `bytes` completes, each with its length in front. Throws on a length that no server sends. */
  push(bytes: Buffer): Buffer[] {
    this.#chunks.push(bytes)
    this.#bytes += bytes.length
    const packets: Buffer[] = []
    for (;;) {
      const needed = this.#needed()
      if (this.#bytes < needed) return packets
      const joined = this.#join()
      packets.push(joined.subarray(0, needed))
      this.#chunks = needed < joined.length ? [joined.subarray(needed)] : []
      this.#bytes = joined.length - needed
    }
  }

  #needed(): number {
    if (this.#bytes < 4) return 4
    const first = this.#chunks[0]
    const length = (first !== undefined && first.length >= 4 ? first : this.#join()).readInt32BE(0)
    if (length < 0 || length > this.#packetBytesMax)
      throw new RangeError(`a packet has at most ${this.#packetBytesMax} bytes, this one claims ${length}`)
    return length + 4
  }

  #join(): Buffer {
    const joined = this.#chunks.length === 1 ? this.#chunks[0] : undefined
    if (joined !== undefined) return joined
    const made = Buffer.concat(this.#chunks)
    this.#chunks = [made]
    return made
  }
}
