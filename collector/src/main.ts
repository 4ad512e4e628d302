#!/usr/bin/env node
import { openCompileCache } from '@catchment/runtime/compile-cache'

openCompileCache()
const { runCollector } = await import('./program.ts')
await runCollector()
