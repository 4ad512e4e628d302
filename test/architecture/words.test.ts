import { describe, expect, test } from '@jest/globals'
import { files, textOf } from './house.ts'

/** What is read by people: documents and TypeScript, its comments and messages above all. */
const texts = files.filter((path) => /\.(ts|md)$/.test(path) && !path.startsWith('test/architecture/'))

/** Words that mislead or read oddly here, and what to write instead. */
const instead: readonly (readonly [words: RegExp, better: string])[] = [
  [/\bbehind\b/i, 'after (in an order), or say what it depends on'],
  [/\banew\b/i, 'again, from scratch'],
  [/\b(tell|tells|told|telling)\b/i, 'report, log, notify, show'],
  [/\bnobody\b/i, 'no one, or name who'],
  [/\b(the|an?) own\b/i, 'its own'],
  [/\b(the|at the) door\b/i, 'the HTTP server, at the boundary'],
  [/\bheed(s|ed|ing)?\b/i, 'follow, take into account'],
  [/\bwhoever\b/i, 'name who'],
  [/\bthe one that\b/i, 'name it'],
  [/\bplays? ball\b/i, 'cooperate'],
  [/\bdo(es)? not pass\b/i, 'is not retryable'],
  [/\bso often\b/i, 'interval'],
  [/\b(by|with|without|has|have|had|gets?|gives?|asks?|needs?) leave\b|\bleave to (?!`|npm)/i, 'permission'],
]

/** Uses of these words that stay, and why. */
const allowed: readonly (readonly [use: RegExp, why: string])[] = [
  [/\b(left|leaves?|leaving|stay|stays) (\w+ ){0,3}behind\b/i, 'the idiom'],
  [/\b(falls?|fell|fallen|lags?|lagging|far) behind\b/i, 'the idiom: late'],
  [/[`'"]behind[`'"]/, 'an outcome of PUT /v1/frames'],
  [/\b(leaves?|left) to `/, 'the verb'],
]

function oddWords(text: string): string[] {
  return text.split('\n').flatMap((line, index) => {
    const plain = allowed.reduce((rest, [use]) => rest.replaceAll(new RegExp(use, `${use.flags}g`), ''), line)
    return instead.flatMap(([words, better]) => {
      const match = words.exec(plain)
      return match === null ? [] : [`${index + 1}: "${match[0]}": ${better}`]
    })
  })
}

describe('plain words', () => {
  test('no document, comment or message has a word that misleads', () => {
    expect(texts.length).toBeGreaterThan(300)
    expect(texts.flatMap((path) => oddWords(textOf(path)).map((word) => `${path}:${word}`))).toEqual([])
  })

  test.each([
    'the bytes behind the cursor',
    'nobody is told',
    'it reads the own list anew',
    'whoever asks has leave to read',
    'look so often',
  ])('finds one in: %s', (text) => {
    expect(oddWords(text).length).toBeGreaterThan(0)
  })

  test.each([
    'it leaves no process behind',
    "outcome: z.literal('behind')",
    'the follower is far behind',
    'a collector of its own',
  ])('finds none in: %s', (text) => {
    expect(oddWords(text)).toEqual([])
  })
})
