#!lua
-- Take one hold in every scope, or none: on refusal nothing changes.
--
-- KEYS  1 held:<worker>      hash    holds of the worker that asks
--       2 workers            set
--       3 cancelled:<hold>   string  there: the caller has given up, nothing may be taken
--       4 the key            hash    the first scope; carries the key's state
--       5.. further scopes   hash
-- ARGV  1 hold id ('' = only look: the same reply, but nothing is written)
--       2 worker          3 the secret's field in the key (secret:<sha256>)
--       4 model              5 the hold's record (JSON, kept as it is)
--       6 input bound        pico-USD, all prompts
--       7 output rate        pico-USD per token of cap, all choices
--       8 cap                output tokens: the caller's own, or the model's maximum
--       9 floor              output tokens: least cap when the caller gave none; 0 = the cap is the caller's
--      10 input tokens       for the tokens-per-minute limit
--      11 now                epoch us, '' = Redis' clock
--      12.. a triple a scope: period, its start, its end (epoch ms, end exclusive)
-- Reply {'admitted', bound, cap, remaining (-1 = no limit), soft exceeded 0|1, now us}
--       {'refused', reason, scope number, its name, limit, spent, held, in doubt, bound}
--       {'rate_limited', 'requests'|'tokens'|'concurrency', scope number, its name, limit, retry after ms}
--       {'stale_period', now us}
--       {'cancelled'} {'unknown_key'} {'key_revoked'} {'key_expired'} {'model_not_allowed'}

-- @include counters

local MINUTE_US = 60000000

local now_us = tonumber(ARGV[11])
if not now_us then
  local time = redis.call('TIME')
  now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local now_ms = math.floor(now_us / 1000)

if redis.call('EXISTS', KEYS[3]) == 1 then return {'cancelled'} end

local status, good_until, expires_at, models, default_cap = unpack(redis.call('HMGET', KEYS[4],
  'status', ARGV[3], 'expires_at', 'models_lua', 'default_max_output_tokens'))
if not status or not good_until then return {'unknown_key'} end
good_until = tonumber(good_until)
if good_until > 0 and now_ms >= good_until then return {'unknown_key'} end
if status == 'revoked' then return {'key_revoked'} end
if expires_at and now_ms >= tonumber(expires_at) then return {'key_expired'} end
if models then
  local allowed = false
  for pattern in string.gmatch(models, '[^\n]+') do
    if string.find(ARGV[4], pattern) then allowed = true break end
  end
  if not allowed then return {'model_not_allowed'} end
end

local scopes = {}
for i = 4, #KEYS do
  local at = 12 + (i - 4) * 3
  local period, starts, ends = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  if now_ms < starts or now_ms >= ends then return {'stale_period', now_us} end
  local v = redis.call('HMGET', KEYS[i], 'hard', 'soft', 'spent:' .. period, 'held:' .. period,
    'doubt:' .. period, 'rpm', 'tpm', 'max_concurrency', 'running', 'tat:requests', 'tat:tokens', 'name')
  scopes[#scopes + 1] = {
    name = KEYS[i], period = period, hard = tonumber(v[1] or nil), soft = tonumber(v[2] or nil),
    spent = whole(v[3]), held = whole(v[4]), doubt = whole(v[5]),
    rpm = tonumber(v[6] or nil), tpm = tonumber(v[7] or nil), most = tonumber(v[8] or nil),
    running = whole(v[9]), tat_requests = tonumber(v[10] or 0), tat_tokens = tonumber(v[11] or 0),
    title = v[12] or '',
  }
end

-- The cap. A call without one may hold an eighth of what the tightest scope has left, so that a few
-- calls that could run long do not lock everybody out; the floor keeps its answer useful.
local input_pico, rate_pico = tonumber(ARGV[6]), tonumber(ARGV[7])
local cap, floor = tonumber(ARGV[8]), tonumber(ARGV[9])
if floor > 0 then
  if default_cap then
    cap = math.min(cap, tonumber(default_cap))
  elseif rate_pico > 0 then
    for _, s in ipairs(scopes) do
      if s.hard then
        local eighth = math.max(0, math.floor((s.hard - s.spent - s.doubt) / 8))
        -- Compared before it is divided: eighth * 1000 may be past 2^53 where it does not bind anyway.
        if eighth < math.ceil(cap * rate_pico / 1000) then
          cap = math.min(cap, math.max(floor, math.floor(eighth * 1000 / rate_pico)))
        end
      end
    end
  end
end
local bound = math.ceil((input_pico + cap * rate_pico) / 1000)

-- Budgets. What waiting cannot mend is said before what it can.
local ORDER = {hard_limit_reached = 1, exceeds_remaining = 2, in_doubt = 3, budget_in_flight = 4}
local worst, at_scope
local remaining, soft_exceeded = -1, 0
for i, s in ipairs(scopes) do
  if s.hard then
    local reason
    if s.spent >= s.hard then reason = 'hard_limit_reached'
    elseif bound > s.hard - s.spent then reason = 'exceeds_remaining'
    elseif bound > s.hard - s.spent - s.doubt then reason = 'in_doubt'
    elseif bound > s.hard - s.spent - s.doubt - s.held then reason = 'budget_in_flight' end
    if reason and (not worst or ORDER[reason] < ORDER[worst]) then worst, at_scope = reason, i end
    local left = s.hard - s.spent - s.doubt - s.held - bound
    if remaining < 0 or left < remaining then remaining = left end
  end
  if s.soft and s.spent >= math.max(s.soft, 1) then soft_exceeded = 1 end
end
if worst and worst ~= 'budget_in_flight' then
  local s = scopes[at_scope]
  return {'refused', worst, at_scope, s.title, s.hard, s.spent, s.held, s.doubt, bound}
end

-- Rates: token buckets of a minute, kept as the time at which the bucket is full again. What one unit
-- takes is floored: rounded up, seven calls a minute would be a little more than a minute's worth.
local tokens = tonumber(ARGV[10])
for i, s in ipairs(scopes) do
  if s.most and s.running >= s.most then return {'rate_limited', 'concurrency', i, s.title, s.most, 1000} end
  if s.rpm then
    local cost = math.floor(MINUTE_US / s.rpm)
    local full_at = math.max(s.tat_requests, now_us)
    if full_at - now_us + cost > MINUTE_US then
      return {'rate_limited', 'requests', i, s.title, s.rpm, math.ceil((full_at - now_us + cost - MINUTE_US) / 1000)}
    end
    s.new_tat_requests = full_at + cost
  end
  if s.tpm then
    local cost = math.floor(tokens * MINUTE_US / s.tpm)
    local full_at = math.max(s.tat_tokens, now_us)
    -- A call larger than the whole bucket passes when the bucket is full, and is paid off after.
    if full_at > now_us and full_at - now_us + cost > MINUTE_US then
      local wait_us = math.min(full_at - now_us, full_at - now_us + cost - MINUTE_US)
      return {'rate_limited', 'tokens', i, s.title, s.tpm, math.ceil(wait_us / 1000)}
    end
    s.new_tat_tokens = full_at + cost
  end
end
if worst then
  local s = scopes[at_scope]
  return {'refused', worst, at_scope, s.title, s.hard, s.spent, s.held, s.doubt, bound}
end

-- Everything is decided; from here on only writes.
if ARGV[1] == '' then return {'admitted', bound, cap, remaining, soft_exceeded, now_us} end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[5], ARGV[1] .. '#', bound)
redis.call('SADD', KEYS[2], ARGV[2])
for _, s in ipairs(scopes) do
  redis.call('HINCRBY', s.name, 'held:' .. s.period, bound)
  redis.call('HINCRBY', s.name, 'running', 1)
  if s.new_tat_requests then redis.call('HSET', s.name, 'tat:requests', s.new_tat_requests) end
  if s.new_tat_tokens then redis.call('HSET', s.name, 'tat:tokens', s.new_tat_tokens) end
end
redis.call('HSET', KEYS[4], 'last_used_at', now_ms)
return {'admitted', bound, cap, remaining, soft_exceeded, now_us}
