/** `14:03:05`, in the time zone of this process. `at`: ms since 1970. */
export function timeOfDay(at: number): string {
  return new Date(at).toTimeString().slice(0, 8)
}

/** `2026-11-22 14:03:05`, in the time zone of this process. `at`: ms since 1970. */
export function timeAndDay(at: number): string {
  return new Date(at).toLocaleString('sv-SE')
}
