// Where the programs are. The front never imports one: each is found by its package's name and its `bin`, as git finds
// its subcommands, so that a host may hold only some of them.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { parseJson } from '@catchment/protocol'
import { CatchmentError, codeOf } from '@catchment/runtime'
import { z } from 'zod'
import type { Role } from '../decide/supervision.ts'

const homes: Readonly<Record<Role, { readonly package: string; readonly bin: string }>> = {
  zookeeper: { package: '@catchment/embedded-zookeeper', bin: 'catchment-zookeeper' },
  assigner: { package: '@catchment/assigner', bin: 'catchment-assigner' },
  collector: { package: '@catchment/collector', bin: 'catchment-collector' },
  agent: { package: '@catchment/source-agent', bin: 'catchment-agent' },
}

const manifestSchema = z.object({ bin: z.record(z.string(), z.string()) })

/** The file to run with Node. Throws CatchmentError `not-installed`. */
export type FindProgram = (role: Role) => string

/** Searches where Node would search from `from` (this file): beside this package, and in every folder above. */
export function findProgram(role: Role, from: string = import.meta.url): string {
  const home = homes[role]
  const manifestPath = resolveManifest(role, from)
  const { bin } = parseJson(manifestSchema, readFileSync(manifestPath, 'utf8'), manifestPath)
  const file = bin[home.bin]
  if (file === undefined)
    throw new CatchmentError('not-installed', `cannot run ${home.bin}: ${manifestPath} names no such command`, {
      blame: 'operator',
    })
  return join(dirname(manifestPath), file)
}

function resolveManifest(role: Role, from: string): string {
  const home = homes[role]
  try {
    return createRequire(from).resolve(`${home.package}/package.json`)
  } catch (thrown) {
    if (codeOf(thrown) !== 'MODULE_NOT_FOUND') throw thrown
    throw new CatchmentError(
      'not-installed',
      `cannot run "catchment ${role}": the package ${home.package} is not installed here. Install it beside @catchment/cli: npm install ${home.package}`,
      { blame: 'operator', cause: thrown },
    )
  }
}
