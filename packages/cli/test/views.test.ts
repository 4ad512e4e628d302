import { describe, expect, test } from '@jest/globals'
import type { TreeAnswer } from '@catchment/protocol'
import { commandsLines } from '../src/view/commands-view.ts'
import { configurationLines, historyLines } from '../src/view/config-view.ts'
import { explainLines, namesLike, rebalanceLines } from '../src/view/explain-view.ts'
import { noColours, paletteOf } from '../src/view/palette.ts'
import { statusLines, statusOf, type CollectorReport } from '../src/view/status-view.ts'
import { table, widthOf } from '../src/view/table.ts'
import { timeAndDay } from '../src/view/time.ts'
import { treeChanges } from '../src/view/tree-changes.ts'
import { groupsThatFit, treeLines } from '../src/view/tree-view.ts'
import { humanBytes, humanCount, humanDuration, humanLineRate, humanRate } from '../src/view/units.ts'
import { deathLine, quoted, upReport, upWarnings, type UpFacts } from '../src/view/up-view.ts'
import { even, group, lent, unserved } from './sample-tree.ts'

const look = { palette: noColours, groupsMax: 10 }
const crowded: TreeAnswer = {
  ...even,
  collectors: even.collectors.map((collector) => ({
    ...collector,
    groups: Array.from({ length: 1_000 }, (_, index) => group(`${collector.id}/${index}`, index)),
  })),
}

describe('treeLines', () => {
  test('shows collectors and their groups, aligned', () => {
    expect(treeLines(even, look)).toEqual([
      '/logs  epoch 11  led by a1, term 3 (1 standby)  policy local  imbalance 1.20 (1 is even)',
      '├─ c1  serving          1.2 MB/s  12,000 lines/s  pressure 1.20  2 groups',
      '│  ├─ app.log    1 MB/s  10,000 lines/s',
      '│  └─ web/0    200 kB/s   2,000 lines/s',
      '└─ c2  serving, cordon   640 B/s     6.4 lines/s  pressure 0.80  1 group',
      '   └─ db.log    640 B/s     6.4 lines/s',
    ])
  })

  test('shows who is gone, and what is lent and borrowed, with the peer', () => {
    expect(treeLines(lent, look).slice(1)).toEqual([
      '├─ c1  serving  1.2 MB/s  12,000 lines/s  pressure 1.20  3 groups',
      '│  ├─ app.log    1 MB/s  10,000 lines/s',
      '│  ├─ db.log    640 B/s     6.4 lines/s  borrowed from c2, epoch 12',
      '│  └─ web/0    200 kB/s   2,000 lines/s',
      '└─ c2  gone            -                                 1 group',
      '   └─ db.log          -                  lent to c1, epoch 12',
    ])
  })

  test('namesLike finds what a part of a name may have meant, the shortest first', () => {
    expect(namesLike('log', even)).toEqual(['db.log', 'app.log'])
    expect(namesLike('nowhere', even)).toEqual([])
  })

  test('shows what the assigner cannot do, in the tree and in the status, with what to do', () => {
    const problem = { what: 'the list of collector c1 is nearly full', todo: 'add collectors' }
    const troubled = { ...even, problems: [problem] }
    expect(treeLines(troubled, look)).toContain('problem: the list of collector c1 is nearly full: add collectors')
    expect(statusOf(troubled, []).problems).toContainEqual(problem)
  })

  test('says when there is no leader, when it is frozen, and when it is old', () => {
    const { leader, ...leaderless } = even
    expect(leader).toBeDefined()
    const [head, frozen, stale] = treeLines({ ...leaderless, frozen: '3 of 4 are gone', ageMs: 12_000 }, look)
    expect(head).toContain('no leader')
    expect(frozen).toBe('frozen: 3 of 4 are gone')
    expect(stale).toBe('stale: a1 last heard of the tree 12 s ago')
  })

  test('shows the heaviest groups of many, and how many more there are', () => {
    const lines = treeLines(crowded, look)
    expect(lines).toHaveLength(1 + 2 * (1 + 10 + 1))
    expect(lines.join('\n')).toContain('c1/999 ')
    expect(lines.join('\n')).not.toContain('c1/989 ')
    expect(lines.filter((line) => line.endsWith('└─ and 990 more'))).toHaveLength(2)
  })

  test('fits the rows of a terminal', () => {
    const lines = treeLines(crowded, { ...look, groupsMax: groupsThatFit(crowded, 30) })
    expect(lines.length).toBeLessThanOrEqual(30)
    expect(groupsThatFit(crowded, 3)).toBe(1)
  })

  test('is coloured only on demand, and as wide as without', () => {
    const coloured = treeLines(lent, { ...look, palette: paletteOf(true) })
    expect(coloured.join('')).toContain('\u001b[31mgone')
    expect(treeLines(lent, { ...look, palette: paletteOf(false) }).join('')).not.toContain('\u001b')
    expect(coloured.map(widthOf)).toEqual(treeLines(lent, look).map(widthOf))
  })
})

describe('treeChanges', () => {
  const changes = (before: TreeAnswer, after: TreeAnswer): string[] => treeChanges(before, after, noColours)

  test('shows a death, a loan and a return', () => {
    expect(changes(even, lent)).toEqual([
      'collector c2 is gone',
      'collector c2: an operator wants it to serve',
      'db.log  c2 → c1, on loan from c2',
    ])
    expect(changes(lent, even)).toEqual([
      'collector c2 is serving',
      'collector c2: an operator wants it to cordon',
      'db.log  c1 → c2, the loan has ended',
    ])
    expect(changes(even, unserved)).toContain('db.log  c2 → no collector')
  })

  test('shows nothing where only loads change', () => {
    expect(changes(even, { ...even, at: 5_000, imbalance: 1.5 })).toEqual([])
  })

  test('shows a new leader', () => {
    const next = { ...even, leader: { id: 'a2', term: 4, url: 'http://127.0.0.1:7071', at: 1 } }
    expect(changes(even, next)).toEqual(['a2 leads, term 4'])
  })

  test('shows many moves as numbers', () => {
    const [c1, c2] = crowded.collectors
    if (c1 === undefined || c2 === undefined) throw new Error('the sample has two collectors')
    const after = {
      ...crowded,
      collectors: [
        { ...c1, groups: [...c1.groups, ...c2.groups] },
        { ...c2, groups: [] },
      ],
    }
    expect(changes(crowded, after)).toEqual(['1,000 groups  c2 → c1'])
  })
})

describe('status', () => {
  const disk = { dataBytes: 2 ** 30, dataBytesMax: 5 * 2 ** 30, undeliveredBytes: 0 }
  const load = { bytesPerSecond: 1, recordsPerSecond: 1 }
  const reports: CollectorReport[] = even.collectors.map(({ id }) => ({
    id,
    failure: undefined,
    status: {
      id,
      state: 'serving',
      session: 'connected',
      appliedEpoch: 11,
      groups: 1,
      load,
      disk,
      mirror: '/x',
      streams: 1,
      counters: {},
    },
  }))

  test('of a sound cluster says so, in a few lines', () => {
    expect(statusLines(even, statusOf(even, reports), noColours)).toEqual([
      'All is well.',
      '',
      'leader      a1, term 3, http://127.0.0.1:7070 (1 standby)',
      'collectors  2 serving, 0 gone',
      'groups      3, 0 unserved; epoch 11',
      'load        1.2 MB/s, 12,006 lines/s; imbalance 1.20 (1 is even)',
      'disk        c1: 1 GiB of 5 GiB, 0 B not delivered yet',
      '            c2: 1 GiB of 5 GiB, 0 B not delivered yet',
    ])
  })

  test('puts problems first, each with what to do', () => {
    const full = reports.map((report) =>
      report.status === undefined
        ? report
        : {
            ...report,
            status: { ...report.status, session: 'lost' as const, disk: { ...disk, dataBytes: disk.dataBytesMax } },
          },
    )
    const { problems, groupsUnserved } = statusOf(unserved, [
      ...full.slice(0, 1),
      { id: 'c3', status: undefined, failure: 'no answer' },
    ])
    expect(problems.map(({ what }) => what)).toEqual([
      '1 group is served by no collector; the lines wait in the files',
      'collector c2 is gone; none of its groups is on loan',
      'collector c1 is cut off from ZooKeeper (lost): it serves the groups that it last knew',
      'collector c1 has filled 5 GiB of 5 GiB',
      'collector c3 does not answer: no answer',
    ])
    expect(problems.every(({ todo }) => todo.length > 0)).toBe(true)
    expect(groupsUnserved).toBe(1)
    expect(statusOf(lent, []).problems.map(({ what }) => what)).toEqual([
      'collector c2 is gone; 1 group of it is on loan',
    ])
  })
})

test('explainLines: where a group is, and why, newest first', () => {
  const decision = { group: 'db.log', leader: 'a1', at: 5, why: 'c2 is gone' } as const
  const answer = {
    group: 'db.log',
    epoch: 12,
    servedBy: 'c1',
    ownedBy: 'c2',
    how: 'borrowed',
    decisions: [
      { ...decision, epoch: 12, from: 'c2', to: 'c1', how: 'lent' },
      { ...decision, epoch: 3, to: 'c2', how: 'owned', why: 'new group' },
    ],
  } as const
  expect(explainLines({ ...answer, decisions: [...answer.decisions] }, noColours, (at) => `t${at}`)).toEqual([
    'db.log is served by c1 on loan from c2 (epoch 12)',
    '',
    'Why, newest first:',
    '  t5  epoch 12  c2 → c1     lent   c2 is gone  by a1',
    '  t5  epoch 3   (new) → c2  owned  new group   by a1',
  ])
})

test('rebalanceLines: what moved, would move, or need not', () => {
  const move = { group: 'web/0', from: 'c1', to: 'c2', how: 'owned', why: 'c1 is hot' } as const
  const answer = { epoch: 13, published: true, imbalanceBefore: 1.5, imbalanceAfter: 1.1, moves: [{ ...move }] }
  expect(rebalanceLines(answer, false, noColours)).toEqual([
    '1 group moved: imbalance 1.50 → 1.10, epoch 13',
    '  web/0  c1 → c2  c1 is hot',
  ])
  expect(rebalanceLines({ ...answer, published: false }, true, noColours)[0]).toContain('1 group would move')
  expect(rebalanceLines({ ...answer, published: false }, false, noColours).at(-1)).toContain('Nothing was published')
  expect(rebalanceLines({ ...answer, moves: [] }, false, noColours)).toEqual([
    'Nothing to move: imbalance 1.50 (1 is even), epoch 13',
  ])
})

describe('upReport', () => {
  const followed = {
    files: 2,
    more: false,
    unreadable: [],
    unmatched: [],
    writable: '/srv/a b.log',
    any: '/srv/a b.log',
  }
  const facts: UpFacts = {
    running: [
      { role: 'zookeeper', id: 'zookeeper', pid: 1, url: undefined, port: 2181 },
      { role: 'assigner', id: 'a1', pid: 22, url: 'http://127.0.0.1:7070', port: undefined },
      { role: 'collector', id: 'c1', pid: 3, url: 'http://127.0.0.1:4001', port: undefined },
      { role: 'agent', id: 'host', pid: 4, url: 'http://127.0.0.1:7070', port: undefined },
    ],
    tookMs: 3_210,
    data: '/d',
    out: '/d/out',
    logs: '/d/logs',
    globs: ['/srv/*.log'],
    followed,
    makeable: undefined,
    marker: 'hello-1',
    restartDelayMs: 10_000,
  }

  test('says what runs where, where the logs are, and what to try', () => {
    expect(upReport(facts, noColours)).toEqual([
      'Catchment is up after 3.2 s.',
      '',
      '  zookeeper        pid 1   127.0.0.1:2181',
      '  assigner   a1    pid 22  http://127.0.0.1:7070',
      '  collector  c1    pid 3   http://127.0.0.1:4001',
      '  agent      host  pid 4   asks http://127.0.0.1:7070',
      '',
      '  follows      /srv/*.log  (2 files now)',
      '  collects in  /d/out  (a copy of each followed file, byte for byte)',
      '  stores in    /d  (logs of the programs: /d/logs)',
      '',
      'Ctrl-C stops everything; the next start continues where this one stopped.',
      '',
      'In another terminal, watch the tree and kill a collector: its groups move at once, and it is back after 10 s:',
      '  npx --no-install catchment tree --watch',
      '  kill -9 3',
      '',
      'Append a line to a followed file and see it arrive:',
      "  echo hello-1 >> '/srv/a b.log'",
      '  until grep -r hello-1 /d/out; do sleep 1; done',
    ])
  })

  test('offers a file to make where none may be written to, else one to write as root', () => {
    const readOnly = { ...followed, writable: undefined }
    const appendOf = (changed: Partial<UpFacts>): string | undefined =>
      upReport({ ...facts, ...changed }, noColours).at(-2)
    expect(appendOf({ followed: readOnly, makeable: '/srv/hello.log' })).toBe('  echo hello-1 >> /srv/hello.log')
    expect(appendOf({ followed: readOnly })).toBe("  echo hello-1 | sudo tee -a '/srv/a b.log'")
  })

  test('upWarnings: one line per glob without a match, one for all that cannot be read', () => {
    const trouble = { ...followed, unmatched: ['/none/*.log'], unreadable: ['/srv/x.log', '/srv/y.log'], files: 5 }
    const lines = upWarnings(trouble, noColours)
    expect(lines).toHaveLength(2)
    expect(lines[0]).toBe('warning: no file matches /none/*.log yet; files that appear later are followed')
    expect(lines[1]).toContain('2 files of 5 cannot be read by this user, first /srv/x.log')
  })

  test('deathLine: who died, of what, and when it comes back', () => {
    const dead = { id: 'c1', role: 'collector', pid: 3, how: 'SIGKILL', againInMs: 10_000 } as const
    expect(deathLine(dead, '12:00:00', noColours)).toBe(
      '12:00:00  collector c1 (pid 3) died: SIGKILL. It restarts in 10 s',
    )
  })

  test('quoted: any path is one word of the shell', () => {
    expect([quoted('/a/b.log'), quoted("it's"), quoted('$HOME'), quoted('')]).toEqual([
      '/a/b.log',
      `'it'\\''s'`,
      `'$HOME'`,
      `''`,
    ])
  })
})

test('units: numbers as people read them', () => {
  expect([0, 1023, 1024, 1536, 5 * 2 ** 30, 2 ** 60].map(humanBytes)).toEqual([
    '0 B',
    '1023 B',
    '1 KiB',
    '1.5 KiB',
    '5 GiB',
    '1024 PiB',
  ])
  expect([0.4, 999, 1000, 999_999, 1_234_567].map(humanRate)).toEqual([
    '0 B/s',
    '999 B/s',
    '1 kB/s',
    '1 MB/s',
    '1.2 MB/s',
  ])
  expect([0, 12_345, 123_456].map(humanCount)).toEqual(['0', '12,345', '123 k'])
  expect([0.42, 9.99, 1234].map(humanLineRate)).toEqual(['0.4 lines/s', '10 lines/s', '1,234 lines/s'])
  expect([480, 3_210, 90_000, 600_000, 20_000_000, 300_000_000].map(humanDuration)).toEqual([
    '480 ms',
    '3.2 s',
    '90 s',
    '10 min',
    '6 h',
    '3 d',
  ])
})

test('table: columns as wide as their widest cell, nothing trailing', () => {
  expect(
    table(
      [
        ['a', 'bb', ''],
        ['ccc', 'd', 'e'],
      ],
      [1],
    ),
  ).toEqual(['a    bb', 'ccc   d  e'])
})

describe('commandsLines', () => {
  const command = { id: 'c0ffee', verb: 'drain', target: 'c1', by: 'alice@desk', at: 0 } as const
  const outcome = { ...command, outcome: 'refused', text: 'no', doneAt: 0, leader: 'a1', term: 1, epoch: 1 } as const
  const time = timeAndDay(0)

  test('shows what waits and what became of the last ones', () => {
    const waiting = { waiting: [command], waitingCount: 3, outcomes: [outcome] }
    expect(commandsLines(waiting, noColours)).toEqual([
      '3 commands waiting, the next first:',
      `  ${time}  drain c1  by alice@desk  command c0ffee`,
      '  and 2 more',
      '',
      'The last outcomes, the newest first:',
      `  ${time}  drain c1  by alice@desk  command c0ffee  refused  no`,
    ])
    expect(commandsLines({ waiting: [], waitingCount: 0, outcomes: [] }, noColours)).toEqual(['No command waits.'])
  })
})

describe('configurationLines and historyLines', () => {
  const good = { version: 2, by: 'alice@desk', at: 0, value: { redistribution: 'global' } }
  const bad = { version: 10, by: '', at: 0, value: 7, problem: 'it is no object' }

  test('show the value, who published it, and why it is not followed', () => {
    expect(configurationLines({ name: 'policy', current: good }, noColours)).toEqual([
      `policy version 2, by alice@desk, ${timeAndDay(0)}`,
      '{\n  "redistribution": "global"\n}',
    ])
    expect(configurationLines({ name: 'policy', current: bad }, noColours).at(-1)).toBe(
      'It cannot be used, and the last good one stands: it is no object',
    )
    expect(configurationLines({ name: 'policy' }, noColours)).toEqual(['Nothing was ever published as policy.'])
    expect(historyLines({ name: 'policy', versions: [bad, good] }, noColours)).toEqual([
      `10  ${timeAndDay(0)}  by hand        it is no object`,
      ` 2  ${timeAndDay(0)}  by alice@desk  {"redistribution":"global"}`,
    ])
  })
})
