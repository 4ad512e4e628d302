// A disk of a few MiB for one program: a tmpfs in a mount namespace of that program alone. Nothing is mounted on the
// machine, nothing has to be unmounted, and root is not needed where the kernel lets users have namespaces.

import { execFileSync, spawnSync } from 'node:child_process'

const asRoot = ['--mount']
const asUser = ['--user', '--map-root-user', '--mount']
const enterAs = new Map([
  [asRoot, ['--mount']],
  [asUser, ['--mount', '--user', '--preserve-credentials']],
])

const way = [asRoot, asUser].find(
  (flags) => spawnSync('unshare', [...flags, 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0,
)

/** False in a container that may not mount and whose kernel gives users no namespaces. */
export const canMakeSmallDisks = way !== undefined

/** Words before a command: it runs with a disk of `mebibytes` at `path`, which is there already, and with its own pid. */
export function withSmallDisk(path: string, mebibytes: number): string[] {
  if (way === undefined) throw new Error('cannot make a small disk: neither root nor a user may mount in a namespace')
  const script = 'mount -t tmpfs -o size="$1" catchment-test "$0" && shift && exec "$@"'
  return ['unshare', ...way, 'sh', '-c', script, path, `${mebibytes}m`]
}

/** Makes the disk at `path` of the process `pid` larger. */
export function growSmallDisk(pid: number, path: string, mebibytes: number): void {
  const remount = ['mount', '-o', `remount,size=${mebibytes}m`, path]
  execFileSync('nsenter', ['--target', String(pid), ...(enterAs.get(way ?? asRoot) ?? []), ...remount])
}
