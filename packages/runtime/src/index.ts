export { realClock, type Clock, type Timer } from './time/clock.ts'
export { limitWait, onAbort, sleep, unlessAborted, type WaitLimits } from './time/waiting.ts'
export { realRandom, type Random } from './random.ts'
export { asError, CatchmentError, codeOf, type Blame } from './errors.ts'
export { fullJitter, retry, type RetryOptions, type RetryPolicy } from './time/retry.ts'
export { Background } from './work/background.ts'
export { Teardown } from './work/teardown.ts'
export { waitForAbort } from './work/wait-for-abort.ts'
export { startThread } from './work/thread.ts'
export { createLog, type Log, type LogFields, type LogLevel } from './telemetry/log.ts'
export {
  createMetrics,
  type CounterMetric,
  type GaugeSource,
  type HistogramMetric,
  type Metrics,
} from './telemetry/metrics.ts'
export { makePrivateDirectory, syncDirectory, writeFileDurably } from './files/durable-files.ts'
export { lockDirectory, withFileLock, type DirectoryLock } from './files/directory-lock.ts'
export { createHttpClient, type HttpAnswer, type HttpClient, type HttpRequest } from './http/client.ts'
export { parseListen, refuseInsecure } from './http/listen-address.ts'
export {
  errorBody,
  startHttpServer,
  type HttpServer,
  type HttpServerOptions,
  type RawRoute,
  type Route,
  type RouteAnswer,
  type RouteRequest,
} from './http/server.ts'
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
} from './program/settings.ts'
export {
  defineCommand,
  defineGroup,
  runProgram,
  runSingleCommand,
  type BoundCommand,
  type CommandDefinition,
  type RunContext,
} from './program/command-line.ts'
export { runService, type Service, type ServiceContext, type StartedService } from './program/service.ts'
