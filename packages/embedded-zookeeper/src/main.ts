#!/usr/bin/env node
import { openCompileCache } from '@catchment/runtime/compile-cache'

openCompileCache()
const { runZooKeeper } = await import('./program.ts')
await runZooKeeper()
