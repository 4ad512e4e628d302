#!/usr/bin/env node
import { openCompileCache } from '@catchment/runtime/compile-cache'

openCompileCache()
const { runCatchment } = await import('./catchment.ts')
await runCatchment()
