export { JuteError, JuteReader, JuteWriter, packet, type WriteBody } from './jute.ts'
export { PacketReader } from './packets.ts'
export {
  addWatchMode,
  authXid,
  createFlags,
  errorCode,
  eventType,
  notificationXid,
  opcode,
  permission,
  pingXid,
  watcherType,
  type WatcherType,
} from './numbers.ts'
export { endParts, readAcl, readParts, writeAcl, writePartHeader, type AclEntry, type Identity } from './records.ts'
