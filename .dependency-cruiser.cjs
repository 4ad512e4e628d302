// The arrows of the house. Every room may import what is listed beside it and nothing else of this repository; the
// reason stands with the rule, because it is what a reader who meets the error wants to know.
const rooms = {
  'packages/hashing': { to: [], why: 'the values of hashes are stored and shared: nothing may change them' },
  'packages/placement': {
    to: ['packages/hashing'],
    why: 'the planner is pure: it runs in tests, in what-if and in simulation unchanged',
  },
  'packages/protocol': { to: ['packages/hashing'], why: 'what travels must be readable without any program of ours' },
  'packages/runtime': { to: ['packages/protocol'], why: 'what Node gives is below everything that knows of clusters' },
  'packages/coordination': {
    to: ['packages/hashing', 'packages/runtime', 'packages/zookeeper-wire'],
    why: 'a ZooKeeper library, usable without Catchment',
  },
  'packages/zookeeper-wire': { to: [], why: 'what client and server of ZooKeeper both speak: bytes and numbers' },
  'packages/embedded-zookeeper': {
    to: ['packages/runtime', 'packages/zookeeper-wire'],
    why: 'a ZooKeeper server, usable without Catchment',
  },
  'packages/queue': { to: ['packages/runtime'], why: 'a queue of pointers: it knows neither segments nor sinks' },
  'packages/testing': {
    to: ['packages/hashing', 'packages/protocol', 'packages/runtime'],
    why: 'fakes of what stands below the programs',
  },
  'packages/cli': {
    to: ['packages/protocol', 'packages/runtime'],
    why: 'a host gets the agent alone: the front starts programs, it never imports them',
  },
  collector: {
    to: ['packages/protocol', 'packages/runtime', 'packages/coordination'],
    why: 'programs meet on the wire, never in imports',
  },
  assigner: {
    to: ['packages/placement', 'packages/protocol', 'packages/runtime', 'packages/coordination'],
    why: 'programs meet on the wire, never in imports',
  },
  'source-agent': {
    to: ['packages/hashing', 'packages/protocol', 'packages/runtime'],
    why: 'agents speak HTTP: no compromise of a host may write the tree',
  },
}

/** What others may import of a room, besides its `index.ts`. */
const faces = { 'packages/runtime': ['program/compile-cache'], 'packages/coordination': ['recipes'] }

// The rooms of a program: each folder of its `src` may import itself and what is listed beside it. Files of `src` itself
// put the program together from all of them.
const innerRooms = {
  collector: {
    decide: { to: [], why: 'a decision knows no disk, no network and no other part' },
    segments: { to: ['decide'], why: 'what is stored is true whoever sent it and wherever it goes' },
    delivery: { to: ['segments'], why: 'delivery reads what is stored, and knows a sink by its face alone' },
    sinks: { to: ['delivery/sink.ts', 'decide'], why: 'a sink implements the face; it never sees segments or cursors' },
    cluster: {
      to: [
        'segments/data-directory.ts',
        'segments/data-formats.ts',
        'segments/disk.ts',
        'segments/text-file.ts',
        'decide',
      ],
      why: 'a member names its data directory and keeps its list there; frames are not its matter',
    },
    ingest: {
      to: ['segments', 'cluster', 'decide'],
      why: 'a request is answered when it is stored, not when delivered',
    },
  },
  assigner: {
    tree: { to: [], why: 'what is known of the tree, and how it is written, depends on no plan' },
    control: {
      to: ['tree'],
      why: 'the control loop reads the tree and writes it; no operator or agent is asked for a plan',
    },
    operations: { to: ['tree', 'control'], why: 'a command is carried out by the control loop, in its turn' },
    http: { to: ['tree', 'control', 'operations'], why: 'requests come last: nothing inside waits for HTTP' },
  },
  'source-agent': {
    decide: { to: [], why: 'decisions know no shell' },
    metering: { to: [], why: 'what is counted and limited is below all that counts and is limited' },
    data: { to: ['decide'], why: 'what is on disk is described without what the program does with it' },
    files: { to: ['decide', 'metering'], why: 'a file is looked at and held open whatever is shipped of it' },
    streams: {
      to: ['decide', 'data', 'files'],
      why: 'a stream is the queue between a file and its shipping: it starts neither',
    },
    routing: { to: ['decide', 'data'], why: 'where groups go is asked whatever is followed' },
    shipping: {
      to: ['decide', 'data', 'files', 'metering', 'routing', 'streams'],
      why: 'frames go down only: shipping answers by events, and knows neither readers nor followers',
    },
    reading: {
      to: ['decide', 'files', 'metering', 'shipping', 'streams'],
      why: 'what is read goes down to shipping: a file that changed is an event for the follower',
    },
    following: {
      to: ['data', 'decide', 'files', 'metering', 'reading', 'shipping', 'streams'],
      why: 'the top: it starts and ends streams, and nothing below knows when',
    },
  },
  'packages/runtime': {
    time: { to: ['errors.ts', 'random.ts'], why: 'clocks and delays know of nothing else' },
    telemetry: { to: [], why: 'what is logged and counted is handed in' },
    files: { to: ['errors.ts'], why: 'durable files need nothing but Node' },
    work: {
      to: ['errors.ts', 'telemetry', 'time'],
      why: 'background work waits and reports its failures, and no more',
    },
    http: { to: ['errors.ts', 'telemetry'], why: 'a server logs what it could not answer; it knows no settings' },
    program: {
      to: ['errors.ts', 'time', 'telemetry', 'work'],
      why: 'the shell stands on the others, and none of them on a program',
    },
  },
  'packages/cli': {
    decide: { to: [], why: 'decisions are pure' },
    view: { to: ['decide'], why: 'a view turns data into lines; it asks no one and starts nothing' },
    client: { to: ['decide'], why: 'answers are fetched and checked here, and shown elsewhere' },
    programs: { to: ['decide'], why: 'finding a program is below starting it' },
    verbs: { to: ['client', 'view'], why: 'a verb asks an assigner and shows the answer' },
    up: { to: ['decide', 'view', 'client', 'programs'], why: '`up` starts programs; no verb does' },
  },
  'packages/embedded-zookeeper': {
    tree: { to: [], why: 'the state machine is replayed from the log: it knows no sockets, clocks or files' },
    watches: { to: ['tree'], why: 'who hears of which change, whatever a watcher is' },
    storage: { to: ['tree'], why: 'the log and the snapshot hold transactions and trees, and nothing of who asked' },
    connections: { to: [], why: 'a socket carries packets and does not know what they mean' },
    requests: { to: ['tree', 'watches', 'connections'], why: 'a request is answered without waiting for a disk' },
    server: {
      to: ['tree', 'watches', 'storage', 'connections', 'requests'],
      why: 'the server joins the other rooms, and none of them knows it',
    },
  },
  'packages/coordination': {
    'session/contract': { to: [], why: 'what users of a session see stands below how it is done' },
    'session/requests': { to: ['session/contract'], why: 'an encoding knows nothing of connections' },
    'session/connection': {
      to: ['session/contract', 'session/requests'],
      why: 'connections come and go without knowing who waits for answers',
    },
    'session/calls': {
      to: ['session/contract', 'session/requests', 'session/connection'],
      why: 'each call ends once, whatever it asks for',
    },
    'session/watches': {
      to: ['session/contract', 'session/requests', 'session/connection', 'session/calls'],
      why: 'watches are asked for by calls, and restored on connections',
    },
    session: {
      to: ['session/contract', 'session/requests', 'session/connection', 'session/calls', 'session/watches'],
      why: 'the session knows no recipe',
    },
    attempts: { to: ['session'], why: 'what is repeated until it is answered knows no recipe' },
    following: { to: ['session', 'attempts'], why: 'what is followed knows no recipe' },
    line: { to: ['session', 'attempts', 'following'], why: 'the line and the hold carry recipes and know none' },
    claims: { to: ['session', 'attempts', 'line'], why: 'a claim of a node of a fixed name knows no recipe' },
    recipes: {
      to: ['session', 'attempts', 'following', 'line', 'claims'],
      why: 'recipes stand on everything and carry nothing',
    },
  },
}

const owners = {
  'node-zookeeper-client': 'packages/coordination/src/session/connection/zookeeper.ts',
  undici: 'packages/runtime/src/http/client.ts',
  fastify: 'packages/runtime/src/http/server.ts',
  pino: 'packages/runtime/src/telemetry/log.ts',
  'prom-client': 'packages/runtime/src/telemetry/metrics.ts',
  commander: 'packages/runtime/src/program/command-line.ts',
  yaml: 'packages/runtime/src/program/settings.ts',
  chokidar: 'source-agent/src/files/watcher.ts',
  picomatch: 'source-agent/src/files/globs.ts',
  bullmq: 'packages/queue/src/redis/bullmq.ts',
  ioredis: 'packages/queue/src/redis/connection.ts',
}

const anyRoom = `^(${Object.keys(rooms).join('|')})/(?!node_modules/)`
// of a program, or of a room inside it
const decisions = ['/src/decide/', '/src/[^/]+/decide/']
const source = (room) => `^${room}/src/`
/** A room inside a room has arrows of its own. */
const roomsWithin = (program, room) => {
  const within = Object.keys(innerRooms[program]).filter((other) => other.startsWith(`${room}/`))
  return within.length === 0 ? {} : { pathNot: within.map((other) => `${source(program)}${other}/`) }
}
const facesOf = (room) => ['index', ...(faces[room] ?? [])].map((face) => `^${room}/src/${face}\\.ts$`)

const escaped = (path) => path.replaceAll('.', '\\.')
const innerArrows = Object.entries(innerRooms).flatMap(([program, inner]) => [
  ...Object.entries(inner).map(([room, { to, why }]) => ({
    name: `inner-arrows-of-${program}-${room}`,
    comment: why,
    severity: 'error',
    from: { path: `${source(program)}${room}/`, ...roomsWithin(program, room) },
    to: {
      path: source(program),
      pathNot: [room, ...to].map(
        (other) => source(program) + (other.endsWith('.ts') ? `${escaped(other)}$` : `${other}/`),
      ),
    },
  })),
  {
    name: `rooms-of-${program}`,
    comment: 'every folder of the program has a line in the table of its rooms',
    severity: 'error',
    from: { path: `${source(program)}[^/]+/`, pathNot: Object.keys(inner).map((room) => `${source(program)}${room}/`) },
    to: { path: '.' },
  },
])

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'a cycle is one thing in two files',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    ...Object.entries(rooms).map(([room, { to, why }]) => ({
      name: `arrows-of-${room.split('/').at(-1)}`,
      comment: why,
      severity: 'error',
      from: { path: source(room) },
      to: { path: anyRoom, pathNot: [source(room), ...to.flatMap(facesOf)] },
    })),
    ...innerArrows,
    ...Object.entries(owners).map(([library, owner]) => ({
      name: `owner-of-${library}`,
      comment: `one file knows ${library}, so that it can be replaced in one place`,
      severity: 'error',
      from: { pathNot: `^${owner.replaceAll('.', '\\.')}$` },
      to: { path: `node_modules/(@types/)?${library}/` },
    })),
    {
      name: 'decisions-are-pure',
      comment: 'a decision is replayed from a seed: it imports decisions and the protocol, never I/O',
      severity: 'error',
      from: { path: ['^packages/(hashing|placement)/src/', ...decisions] },
      to: { pathNot: ['^packages/(hashing|placement|protocol)/src/', ...decisions] },
    },
    {
      name: 'protocol-is-pure',
      comment: 'the protocol is data: a schema library and checksums',
      severity: 'error',
      from: { path: '^packages/protocol/src/' },
      to: { pathNot: ['^packages/(hashing|protocol)/src/', 'node_modules/zod/', '^(node:)?zlib$'] },
    },
    {
      name: 'testing-stays-in-tests',
      comment: 'fakes never ship',
      severity: 'error',
      from: { path: '^[^t].*/src/', pathNot: '^packages/testing/' },
      to: { path: '(^|/)(test|testing)/' },
    },
    {
      name: 'only-listed-packages',
      comment: 'a dependency is chosen, and written down',
      severity: 'error',
      from: {},
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'everything-resolves',
      comment: 'an import of nothing',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'a file nobody imports is dead',
      severity: 'error',
      from: { orphan: true, path: '/src/', pathNot: '/src/(main|index)\\.ts$' },
      to: {},
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/dist/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js'],
    },
    combinedDependencies: true,
  },
}
