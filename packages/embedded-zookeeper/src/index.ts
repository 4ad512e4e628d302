export { startServer, type ServerOptions, type SessionView, type ZookeeperServer } from './server.ts'
export type { Limits } from './limits.ts'
export type { CloseReason, Stats } from './stats.ts'
export type { ServerSocket } from './connection.ts'
