#!/usr/bin/env node
import { openCompileCache } from '@catchment/runtime/compile-cache'

openCompileCache()
const { runAgent } = await import('./program.ts')
await runAgent()
