#!/usr/bin/env node
// Compiling is half of a collector's start: the cache is opened before the rest is loaded. It is the user's own: what others may
// write to is no place for code. Where it cannot be made, Node goes on without.
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

enableCompileCache(join(homedir(), '.cache', 'catchment', 'compiled'))
const { runCollector } = await import('./program.ts')
await runCollector()
