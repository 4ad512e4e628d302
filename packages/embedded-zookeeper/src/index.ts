export { startServer, type ServerOptions, type SessionView, type ZookeeperServer } from './server/server.ts'
export type { Limits } from './connections/limits.ts'
export type { CloseReason, Stats } from './connections/stats.ts'
export type { ServerSocket } from './connections/connection.ts'
