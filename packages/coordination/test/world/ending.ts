/** The code (and outcome) that a call ended with. */
export async function ending(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'done'
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && 'outcome' in thrown)
      return `${String(thrown.code)} ${String(thrown.outcome)}`
    throw thrown
  }
}
