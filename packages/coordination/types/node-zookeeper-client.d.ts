// The parts of node-zookeeper-client 1.1.3 that zookeeper.ts uses. The published @types know only its public face, which
// lacks sync, sizes and everything that has to be repaired.

declare module 'node-zookeeper-client/lib/jute/index.js' {
  interface JuteRecord {
    byteLength(): number
    serialize(buffer: Buffer, offset: number): number
    deserialize(buffer: Buffer, offset: number): number
    setChrootPath(path: string | undefined): void
  }
  interface JuteHeader extends JuteRecord {
    xid: number
    type: number
  }
  interface JuteStat {
    readonly czxid: Buffer
    readonly mzxid: Buffer
    readonly ctime: Buffer
    readonly mtime: Buffer
    readonly version: number
    readonly cversion: number
    readonly aversion: number
    readonly ephemeralOwner: Buffer
    readonly dataLength: number
    readonly numChildren: number
    readonly pzxid: Buffer
  }
  interface JuteWatcherEvent extends JuteRecord {
    readonly type: number
    readonly path: string | undefined
  }
  /** Which fields are set follows from the request. */
  interface JutePayload {
    readonly path?: string
    readonly data?: Buffer
    readonly stat?: JuteStat
    readonly children?: string[]
    readonly results?: readonly { readonly type: number; readonly err?: number }[]
  }
  interface JuteRequest {
    readonly header: JuteHeader
    readonly payload: JuteRecord | null
  }
  interface JuteAcl {
    toRecord(): JuteRecord
  }
  interface JuteOperation {
    readonly type: number
    readonly path: string
    readonly data?: Buffer
    readonly acls?: readonly JuteAcl[]
    readonly mode?: number
    readonly version?: number
  }
  interface Jute {
    readonly OP_CODES: Readonly<Record<'CREATE' | 'DELETE' | 'EXISTS' | 'GET_DATA' | 'SET_DATA', number>> &
      Readonly<
        Record<'SYNC' | 'PING' | 'GET_CHILDREN2' | 'CHECK' | 'MULTI' | 'SET_WATCHES' | 'CLOSE_SESSION', number>
      > &
      Readonly<Record<'ERROR', number>>
    readonly Request: new (header: JuteHeader, payload: JuteRecord | null) => JuteRequest
    readonly TransactionRequest: new (operations: readonly JuteOperation[]) => JuteRecord
    readonly protocol: {
      readonly RequestHeader: new (xid?: number, type?: number) => JuteHeader
      readonly WatcherEvent: new () => JuteWatcherEvent
      readonly CreateRequest: new (path: string, data: Buffer, acl: readonly JuteRecord[], flags: number) => JuteRecord
      /** A record of one string: also the shape of a SyncRequest, which the library lacks. */
      readonly CreateResponse: new (path: string) => JuteRecord
      readonly DeleteRequest: new (path: string, version: number) => JuteRecord
      readonly GetDataRequest: new (path: string, watch: boolean) => JuteRecord
      readonly SetDataRequest: new (path: string, data: Buffer, version: number) => JuteRecord
      readonly ExistsRequest: new (path: string, watch: boolean) => JuteRecord
      readonly GetChildren2Request: new (path: string, watch: boolean) => JuteRecord
      readonly SetWatches: new (
        relativeZxid: Buffer,
        dataWatches: readonly string[],
        existWatches: readonly string[],
        childWatches: readonly string[],
      ) => JuteRecord
    }
  }
  const jute: Jute
  export type { JuteRecord, JuteHeader, JuteStat, JutePayload, JuteRequest, JuteOperation }
  export default jute
}

declare module 'node-zookeeper-client/lib/ACL.js' {
  import type { JuteRecord } from 'node-zookeeper-client/lib/jute/index.js'
  const ACL: { readonly OPEN_ACL_UNSAFE: readonly { toRecord(): JuteRecord }[] }
  export default ACL
}

declare module 'node-zookeeper-client/lib/ConnectionManager.js' {
  import type { Duplex } from 'node:stream'
  import type { JutePayload, JuteRequest } from 'node-zookeeper-client/lib/jute/index.js'

  interface LibraryOptions {
    readonly sessionTimeout: number
    readonly spinDelay: number
    readonly sessionId?: Buffer
    readonly sessionPassword?: Buffer
  }
  type Answered = (error: { readonly code: number } | null, response?: { readonly payload: JutePayload | null }) => void
  class ConnectionManager {
    static readonly STATES: {
      readonly CONNECTING: number
      readonly CONNECTED: number
      readonly SESSION_EXPIRED: number
    }
    constructor(servers: string, options: LibraryOptions, onState: () => void)
    readonly state: number
    socket: Duplex | undefined
    readonly pendingQueue: { readonly request: JuteRequest; readonly callback: Answered }[]
    readonly packetQueue: { readonly queue: { readonly request: JuteRequest; readonly callback: Answered }[] }
    xid: number
    zxid: Buffer
    setState(state: number): void
    queue(request: JuteRequest, callback?: Answered): void
    getSessionId(): Buffer
    getSessionPassword(): Buffer
    getSessionTimeout(): number
    onSocketConnected(): void
    onSocketDrain(): void
    // Looked up on the instance: replaced there.
    onSocketData: (bytes: Buffer) => void
    onSocketTimeout: () => void
  }
  export type { Answered }
  export default ConnectionManager
}
