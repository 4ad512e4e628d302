import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { tempDirectory, type TempDirectory } from '@catchment/testing'
import {
  bytesSetting,
  choiceSetting,
  CatchmentError,
  environmentName,
  flagName,
  listSetting,
  loadSettings,
  nearest,
  numberSetting,
  optionalNumberSetting,
  optionalTextSetting,
  parseBytes,
  textSetting,
  toggleSetting,
  type SettingSources,
} from '../src/index.ts'

const spec = {
  id: textSetting({ help: 'id' }),
  listen: textSetting({ help: 'address', default: '127.0.0.1:0' }),
  zone: optionalTextSetting({ help: 'zone' }),
  sessionTimeoutMs: numberSetting({ help: 'ms', min: 1000, max: 60_000, default: 6000 }),
  ratio: numberSetting({ help: 'share', min: 0, max: 1, integer: false, default: 0.5 }),
  port: optionalNumberSetting({ help: 'port', min: 0, max: 65_535 }),
  diskMax: bytesSetting({ help: 'bytes', default: '5GiB' }),
  level: choiceSetting({ help: 'level', choices: ['info', 'warn'], default: 'info' }),
  insecure: toggleSetting({ help: 'insecure' }),
  follow: listSetting({ help: 'globs' }),
}

let directory: TempDirectory
beforeEach(async () => {
  directory = await tempDirectory()
})
afterEach(() => directory.remove())

const load = (sources: Partial<SettingSources>) =>
  loadSettings(spec, { flags: { id: 'x' }, environment: {}, configPath: undefined, ...sources })

const configFile = async (yaml: string): Promise<string> => {
  const path = join(directory.path, 'config.yaml')
  await writeFile(path, yaml)
  return path
}

/** The message of the usage error that `work` throws. */
const refusal = (work: () => unknown): string => {
  try {
    work()
  } catch (thrown) {
    if (thrown instanceof CatchmentError && thrown.code === 'usage' && thrown.blame === 'operator')
      return thrown.message
    throw thrown
  }
  return 'accepted'
}

describe('loadSettings', () => {
  test('flags win over the environment, the environment over the file, the file over the default', async () => {
    const configPath = await configFile('id: file\nzone: file\nsessionTimeoutMs: 3000\ndiskMax: 1KiB\n')
    const environment = {
      CATCHMENT_ID: 'environment',
      CATCHMENT_ZONE: 'environment',
      CATCHMENT_SESSION_TIMEOUT_MS: '2000',
    }
    const settings = load({ flags: { id: 'flag' }, environment, configPath })
    expect(settings).toMatchObject({
      id: 'flag',
      zone: 'environment',
      sessionTimeoutMs: 2000,
      diskMax: 1024,
      level: 'info',
    })
    expect(load({ flags: {}, environment, configPath }).id).toBe('environment')
    expect(load({ flags: {}, configPath }).id).toBe('file')
    expect(load({}).listen).toBe('127.0.0.1:0')
    expect(Object.isFrozen(settings)).toBe(true)
  })

  test('an empty variable is none: compose files pass on what is not set as an empty text', () => {
    expect(
      load({ environment: { CATCHMENT_ZONE: '', CATCHMENT_INSECURE: '', CATCHMENT_SESSION_TIMEOUT_MS: '' } }),
    ).toEqual(load({}))
  })

  test('a misspelt key of the file is refused with the key that was meant', async () => {
    const configPath = await configFile('diskmax: 1GiB\n')
    expect(refusal(() => load({ configPath }))).toBe(
      `unknown setting "diskmax" in ${configPath}: did you mean "diskMax"?`,
    )
    const other = await configFile('colour: red\n')
    expect(refusal(() => load({ configPath: other }))).toContain('the settings are id, listen, zone')
  })

  test('a file that is missing, no YAML or no mapping is refused with its name', async () => {
    const missing = join(directory.path, 'none.yaml')
    expect(refusal(() => load({ configPath: missing }))).toMatch(/^cannot read the configuration .*none.yaml: .*ENOENT/)
    expect(refusal(() => load({ configPath: directory.path }))).toContain('EISDIR')
    for (const yaml of ['[1, 2]', 'text', '7'])
      expect(await configFile(yaml).then((configPath) => refusal(() => load({ configPath })))).toContain(
        'must be a YAML mapping',
      )
    for (const yaml of ['a: [', '{a: 1', 'a: 1\na: 2'])
      expect(await configFile(yaml).then((configPath) => refusal(() => load({ configPath })))).toContain('cannot read')
    expect(load({ configPath: await configFile('# only a comment\n') }).id).toBe('x')
  })

  test('each wrong value is refused with where it stands, what it is and the rule', async () => {
    expect(refusal(() => load({ flags: {} }))).toMatch(/^--id is required \(or CATCHMENT_ID, or "id" in the file/)
    const wrong: [Record<string, unknown>, string][] = [
      [{ sessionTimeoutMs: '999' }, '--session-timeout-ms cannot be "999"'],
      [{ sessionTimeoutMs: '1e9' }, '--session-timeout-ms cannot be "1e9"'],
      [{ sessionTimeoutMs: '2000.5' }, '--session-timeout-ms cannot be "2000.5"'],
      [{ sessionTimeoutMs: '0x7d0' }, '--session-timeout-ms cannot be "0x7d0": it must be a number'],
      [{ port: true }, '--port cannot be true: it must be a number'],
      [{ ratio: '1.5' }, '--ratio cannot be "1.5"'],
      [{ level: 'loud' }, '--level cannot be "loud"'],
      [{ diskMax: '5 parsecs' }, '--disk-max cannot be "5 parsecs": "5 parsecs" is not a size'],
      [{ follow: [''] }, '--follow cannot be [""]: '],
      [{ follow: 7 }, '--follow cannot be 7: it must be a text or a list of texts'],
      [{ insecure: 'maybe' }, '--insecure cannot be "maybe": it must be true or false'],
    ]
    for (const [flags, message] of wrong)
      expect(refusal(() => load({ flags: { id: 'x', ...flags } }))).toContain(message)
    expect(refusal(() => load({ environment: { CATCHMENT_PORT: 'http' } }))).toContain(
      'CATCHMENT_PORT cannot be "http"',
    )
    const configPath = await configFile('port:\n')
    expect(refusal(() => load({ configPath }))).toContain(`port in ${configPath} cannot be null`)
  })

  test('values as text and as themselves are the same', () => {
    expect(load({ flags: { id: 'x', sessionTimeoutMs: '2000', ratio: '0.5', insecure: 'true', port: ' 80' } })).toEqual(
      load({ flags: { id: 'x', sessionTimeoutMs: 2000, ratio: 0.5, insecure: true, port: 80 } }),
    )
  })

  test('a list comes as words of a flag, as one text or a JSON array of the environment, as a list or a text of YAML', async () => {
    expect(load({ flags: { id: 'x', follow: ['a', 'b'] } }).follow).toEqual(['a', 'b'])
    expect(load({ environment: { CATCHMENT_FOLLOW: '/var/log/[ab]*.log' } }).follow).toEqual(['/var/log/[ab]*.log'])
    expect(load({ environment: { CATCHMENT_FOLLOW: '["a","b"]' } }).follow).toEqual(['a', 'b'])
    expect(refusal(() => load({ environment: { CATCHMENT_FOLLOW: '["a"' } }))).toContain(
      'begins like a JSON array but is not one',
    )
    expect(load({ configPath: await configFile('follow: [a, b]\n') }).follow).toEqual(['a', 'b'])
    expect(load({ configPath: await configFile('follow: a\n') }).follow).toEqual(['a'])
  })
})

describe('parseBytes', () => {
  test('binary and decimal units, with and without B', () => {
    const sizes = {
      '0': 0,
      '7': 7,
      '7B': 7,
      '1KiB': 1024,
      '1Ki': 1024,
      '1kb': 1000,
      '1K': 1000,
      '1.5 MiB': 1_572_864,
      '2TB': 2e12,
      ' 5GiB ': 5 * 2 ** 30,
    }
    for (const [text, bytes] of Object.entries(sizes)) expect([text, parseBytes(text)]).toEqual([text, bytes])
    for (const text of ['', 'B', '-1', '1e3', '1 2', '5PiB', '5iB', 'NaN', '1..2'])
      expect([text, parseBytes(text)]).toEqual([text, undefined])
  })

  test('any text gives bytes or undefined', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const bytes = parseBytes(text)
        expect(bytes === undefined || (Number.isInteger(bytes) && bytes >= 0)).toBe(true)
      }),
    )
  })
})

describe('nearest', () => {
  test('finds what is at most two letters off, the nearest first, nothing for what resembles none', () => {
    expect(nearest('sesionTimeoutms', ['sessionTimeoutMs', 'session'])).toBe('sessionTimeoutMs')
    expect(nearest('collectors', ['collector', 'collection'])).toBe('collector')
    expect(nearest('colour', ['id', 'zone'])).toBe(undefined)
    expect(nearest('x', ['id', 'zone'])).toBe(undefined)
  })
})

describe('flagName and environmentName', () => {
  test('spell one setting in two ways', () => {
    expect([flagName('sessionTimeoutMs'), environmentName('sessionTimeoutMs')]).toEqual([
      '--session-timeout-ms',
      'CATCHMENT_SESSION_TIMEOUT_MS',
    ])
  })
})
