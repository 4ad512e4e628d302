// Files → agent → collectors → mirrors on this machine, every process its own, every acknowledgement after fdatasync.
// Beside it, in the same run, what the machine itself takes to copy the same files durably.
//
//   npm run bench:pipeline [-- --quick] [-- --json]

import { closeSync, fdatasyncSync, mkdirSync, openSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Cluster } from '../cluster/programs/cluster.ts'
import { matchGenerations, mirroredBytes, readMirrors } from '../cluster/programs/oracle.ts'
import { until } from '../cluster/programs/until.ts'
import { finish, median, progress, quick, report } from './figures.ts'

const totalBytes = quick ? 100e6 : 1e9
const rounds = quick ? 1 : 3
const bench = 'pipeline'

interface Measured {
  readonly seconds: number
  readonly processorSeconds: number
}

const directory = await mkdtemp(join(tmpdir(), 'catchment-bench-'))
try {
  for (const fileCount of [1, 10, 100]) {
    progress(`${fileCount} files, ${totalBytes / 1e6} MB in all`)
    const files = writeCorpus(join(directory, `logs-${fileCount}`), fileCount)
    const ours: Measured[] = []
    const copies: Measured[] = []
    for (let round = 1; round <= rounds; round += 1) {
      copies.push(copyDurably(files, join(directory, 'copy')))
      ours.push(await collect(files, join(directory, `run-${fileCount}-${round}`)))
      progress(
        `  round ${round} of ${rounds}: ${rate(ours.at(-1)).toFixed(0)} MB/s; copying: ${rate(copies.at(-1)).toFixed(0)} MB/s`,
      )
    }
    show(`${fileCount} files`, ours, copies)
    rmSync(join(directory, `logs-${fileCount}`), { recursive: true })
  }
} finally {
  await rm(directory, { recursive: true, force: true })
}
finish()

function show(name: string, ours: readonly Measured[], copies: readonly Measured[]): void {
  const gigabytes = totalBytes / 1e9
  const throughput = median(ours.map(rate))
  const copying = median(copies.map(rate))
  const processor = median(ours.map((run) => run.processorSeconds / gigabytes))
  report(
    { bench, case: name, system: 'catchment', metric: 'throughput', value: throughput, unit: 'MB/s' },
    { min: 200 },
  )
  report(
    { bench, case: name, system: 'catchment', metric: 'processor', value: processor, unit: 's/GB' },
    { max: 31 / 3 },
  )
  report({ bench, case: name, system: 'copy and fdatasync', metric: 'throughput', value: copying, unit: 'MB/s' })
  report({
    bench,
    case: name,
    system: 'catchment',
    metric: 'throughput ÷ copying',
    value: throughput / copying,
    unit: '',
  })
}

/** From the agent's start until the last byte stands in a mirror; then every mirror is compared with its file. */
async function collect(files: readonly string[], at: string): Promise<Measured> {
  mkdirSync(at)
  const follow = files.map((file) => file.replace(/[^/]*$/, '*.log'))[0] ?? ''
  const cluster = new Cluster({
    directory: at,
    assigners: 1,
    collectors: 2,
    agentArgs: ['--group', '{file}', '--follow', follow],
  })
  try {
    await cluster.start()
    const members = [...cluster.collectors, ...cluster.assigners, cluster.agent]
    const before = processorSeconds(members)
    const started = performance.now()
    await cluster.agent.start()
    await until('all bytes in the mirrors', 300_000, () => mirroredWhole(cluster.mirror, files), 20)
    const seconds = (performance.now() - started) / 1000
    const used = processorSeconds(members) - before
    matchGenerations(files, readMirrors(cluster.mirror).mirrors)
    return { seconds, processorSeconds: used }
  } finally {
    await cluster.stop()
    rmSync(at, { recursive: true, force: true })
  }
}

function mirroredWhole(mirror: string, files: readonly string[]): true | undefined {
  const { bytes, sidecars } = mirroredBytes(mirror)
  return sidecars === 0 && bytes >= files.reduce((sum, file) => sum + statSync(file).size, 0) ? true : undefined
}

function processorSeconds(members: Cluster['collectors']): number {
  return members.reduce((sum, member) => sum + (member.program?.processorSeconds() ?? 0), 0)
}

/** The machine's own speed: each file read and written in blocks of 1 MiB, then fdatasync. */
function copyDurably(files: readonly string[], to: string): Measured {
  mkdirSync(to)
  const block = Buffer.allocUnsafe(1024 * 1024)
  const before = process.cpuUsage()
  const started = performance.now()
  for (const [index, file] of files.entries()) {
    const source = openSync(file, 'r')
    const target = openSync(join(to, String(index)), 'w')
    for (let bytes = readSync(source, block); bytes > 0; bytes = readSync(source, block))
      writeSync(target, block, 0, bytes)
    fdatasyncSync(target)
    closeSync(source)
    closeSync(target)
  }
  const seconds = (performance.now() - started) / 1000
  const used = process.cpuUsage(before)
  rmSync(to, { recursive: true })
  return { seconds, processorSeconds: (used.user + used.system) / 1e6 }
}

/** Lines as a web server writes them; the same bytes in every run. */
function writeCorpus(at: string, fileCount: number): string[] {
  mkdirSync(at)
  const files = Array.from({ length: fileCount }, (_, index) => join(at, `access-${index}.log`))
  let draw = 1
  const next = (below: number): number => {
    draw = (Math.imul(draw, 1103515245) + 12345) & 0x7fffffff
    return Math.floor((draw / 0x80000000) * below)
  }
  for (const file of files) {
    const target = openSync(file, 'w')
    let bytes = 0
    for (let number = 0; bytes < totalBytes / fileCount;) {
      let text = ''
      for (; text.length < 1_000_000; number += 1)
        text += `10.${next(255)}.${next(255)}.${next(255)} - - [21/Nov/2026:20:${10 + (number % 50)}:${10 + next(49)} +0000] "GET /shop/item/${next(1e6)}?ref=${next(1e9).toString(36)} HTTP/1.1" ${[200, 200, 200, 304, 404][next(5)] ?? 200} ${next(90_000)} "-" "Mozilla/5.0 (X11; Linux x86_64)" ${number}\n`
      bytes += writeSync(target, text)
    }
    closeSync(target)
  }
  return files
}

function rate(run: Measured | undefined): number {
  return run === undefined ? Number.NaN : totalBytes / 1e6 / run.seconds
}
