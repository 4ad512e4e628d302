#!/usr/bin/env node
import { openCompileCache } from '@catchment/runtime/compile-cache'

openCompileCache()
const { runAssigner } = await import('./program.ts')
await runAssigner()
