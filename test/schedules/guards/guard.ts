/** A line of a recipe without which its guarantee does not hold. */
export interface Guard {
  readonly recipe: string
  readonly name: string
  /** From the root of the repository. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly text: string
  readonly without: string
}
