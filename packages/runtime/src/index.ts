export { asError, realClock, sleep, type Clock, type Timer } from './clock.ts'
export { realRandom, type Random } from './random.ts'
export { CatchmentError, codeOf, type Blame } from './errors.ts'
export { fullJitter, retry, type RetryOptions, type RetryPolicy } from './retry.ts'
export { Background } from './background.ts'
export { Teardown } from './teardown.ts'
export { startThread } from './thread.ts'
export { createLog, type Log, type LogFields, type LogLevel } from './log.ts'
export { createMetrics, type CounterMetric, type GaugeSource, type HistogramMetric, type Metrics } from './metrics.ts'
export { makePrivateDirectory, syncDirectory, writeFileDurably } from './files.ts'
export { lockDirectory, withFileLock, type DirectoryLock } from './directory-lock.ts'
export { createHttpClient, type HttpAnswer, type HttpClient, type HttpRequest } from './http-client.ts'
export {
  errorBody,
  parseListen,
  refuseInsecure,
  startHttpServer,
  type HttpServer,
  type HttpServerOptions,
  type RawRoute,
  type Route,
  type RouteAnswer,
  type RouteRequest,
} from './http-server.ts'
export {
  bytesSetting,
  choiceSetting,
  environment,
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
  usage,
  type Setting,
  type SettingSources,
  type SettingsOf,
  type SettingsSpec,
} from './settings.ts'
export {
  defineCommand,
  defineGroup,
  runProgram,
  type BoundCommand,
  type Command,
  type RunContext,
} from './command-line.ts'
