// A registry that lacks some platform's binary makes `npm install` leave that optional dependency out of the lock file,
// and then `npm ci` refuses the lock. This gives every optional dependency that is absent an entry of its own, read from
// the package that wants it. Run after each `npm install`; a test of the architecture fails where it was forgotten.
import { readFileSync, writeFileSync } from 'node:fs'

const lockPath = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(lockPath, 'utf8'))

const platforms = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64']

/** What a platform package's name says of where it runs: `@scope/name-linux-arm64-gnu` → os linux, cpu arm64. */
const placeOf = (name) => {
  const words = name.split(/[-/]/)
  const os = platforms.filter((platform) => words.includes(platform))
  const cpu = processors.filter((processor) => words.includes(processor))
  return { ...(os.length > 0 && { os }), ...(cpu.length > 0 && { cpu }) }
}

const found = (from, name) => {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    if (lock.packages[`${at === '' ? '' : `${at}/`}node_modules/${name}`]) return true
    if (at === '') return false
  }
}

const missing = []
for (const [path, entry] of Object.entries(lock.packages))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {}))
    if (!found(path, name)) missing.push([name, version])

if (process.argv.includes('--check')) {
  for (const [name, version] of missing) console.error(`package-lock.json lacks ${name}@${version}`)
  process.exit(missing.length > 0 ? 1 : 0)
}
for (const [name, version] of missing)
  lock.packages[`node_modules/${name}`] = { version: version.replace(/^[^0-9]*/, ''), optional: true, ...placeOf(name) }
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(lockPath, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`package-lock.json: ${missing.length} optional dependencies added`)
