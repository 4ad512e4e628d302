// The part of node-zookeeper-client 1.1.3 that zookeeper.ts uses. The published @types know only its public face, which
// lacks everything that has to be repaired.

declare module 'node-zookeeper-client/lib/ConnectionManager.js' {
  import type { Duplex } from 'node:stream'

  interface LibraryOptions {
    readonly sessionTimeout: number
    readonly spinDelay: number
    readonly sessionId?: Buffer
    readonly sessionPassword?: Buffer
  }
  /** What its queue holds. It numbers the header, unless the type is that of a ping or of credentials, and writes the bytes. */
  interface Queued {
    readonly header: { readonly type: number; xid: number }
    readonly payload: null
    toBuffer(): Buffer
  }
  class ConnectionManager<P extends Queued = Queued> {
    static readonly STATES: {
      readonly CONNECTING: number
      readonly CONNECTED: number
      readonly SESSION_EXPIRED: number
    }
    constructor(servers: string, options: LibraryOptions, onState: () => void)
    readonly state: number
    socket: Duplex | undefined
    /** Written and unanswered. */
    readonly pendingQueue: { readonly request: P }[]
    /** Not yet written. */
    readonly packetQueue: { readonly queue: readonly { readonly request: P }[] }
    xid: number
    zxid: Buffer
    setState(state: number): void
    queue(request: P): void
    getSessionId(): Buffer
    getSessionPassword(): Buffer
    getSessionTimeout(): number
    onSocketConnected(): void
    onSocketDrain(): void
    // Looked up on the instance: replaced there.
    onSocketData: (bytes: Buffer) => void
    onSocketTimeout: () => void
  }
  export default ConnectionManager
}
