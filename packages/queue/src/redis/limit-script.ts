/**
 * The token bucket of decide/token-bucket.ts in Redis, by the clock of Redis, so that collectors need not agree on the
 * time. KEYS[1]: the bucket. ARGV: tokens per second, burst, tokens wanted. Answers 0 when they were taken, else the
 * milliseconds after which another try is worth it. A bucket that would be full is forgotten.
 */
export const limitScript = `
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(held[1]) or burst
local at = tonumber(held[2]) or now
local filled = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
local needed = math.min(wanted, burst)
if filled < needed then return math.ceil((needed - filled) * 1000 / rate) end
local left = filled - wanted
redis.call('HSET', KEYS[1], 'tokens', tostring(left), 'at', tostring(now))
redis.call('PEXPIRE', KEYS[1], math.ceil((burst - left) * 1000 / rate) + 1000)
return 0
`
