import { entryOf, type Lists } from './cluster-view.ts'

/**
 * What is wrong with an assignment; empty when it is valid: a group stands in the `owned` or `lent` of at most one list and
 * in the `borrowed` of at most one, and its borrower is the collector that its owner names. So it is in at most one
 * list to be served.
 */
export function violations(lists: Lists): string[] {
  const found: string[] = []
  const owners = new Map<string, string>()
  const borrowers = new Map<string, string>()
  const claim = (claims: Map<string, string>, group: string, id: string, what: string): void => {
    const other = claims.get(group)
    if (other !== undefined) found.push(`${group} is ${what} by ${other} and by ${id}`)
    claims.set(group, id)
  }
  for (const [id, list] of lists) {
    for (const group of Object.keys(list.owned)) claim(owners, group, id, 'owned')
    for (const group of Object.keys(list.lent)) claim(owners, group, id, 'owned')
    for (const group of Object.keys(list.borrowed)) claim(borrowers, group, id, 'borrowed')
  }
  return [...found, ...brokenLoans(lists, owners, borrowers)]
}

function brokenLoans(
  lists: Lists,
  owners: ReadonlyMap<string, string>,
  borrowers: ReadonlyMap<string, string>,
): string[] {
  const found: string[] = []
  for (const [group, borrower] of borrowers) {
    const from = entryOf(lists.get(borrower)?.borrowed ?? {}, group)?.from ?? ''
    const lender = lists.get(from)
    if (lender === undefined) {
      if (owners.has(group))
        found.push(`${group} is owned, and borrowed by ${borrower} from ${from}, which has no list`)
    } else if (entryOf(lender.lent, group)?.to !== borrower)
      found.push(`${group} is borrowed by ${borrower} from ${from}, whose list does not say so`)
  }
  return found
}
