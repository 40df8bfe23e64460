#!lua flags=allow-oom
-- Turn a hold into spent money: counters, rollup, row and threshold events move together, once per hold id.
--
-- KEYS  1 held:<worker>  hash     2 doubt  hash     3 ledger  stream   4 outbox  stream
--       5 books          hash     6 rollup hash     7 hours   zset     8.. scopes hash
-- ARGV  1 hold id        2 cost (nano-USD)          3 the row (JSON, kept as it is)
--       4 rows kept      5 hour's start (epoch s)   6 hour's name
--       7 output tokens  for the tokens-per-minute limit
--       8 number of rollup fields, then as many pairs: field, increment
--         then a pair a scope: scope (key:<id>, project:<id>), period
-- Reply {'settled', row id, remaining (-1 = no limit), soft exceeded 0|1, overrun 0|1, late 0|1, bound}
--       {'gone'}: no such hold (settled, released or cancelled before); nothing changes

-- @include counters
-- @include crossings

local MINUTE_US = 60000000

local hold, cost = ARGV[1], tonumber(ARGV[2])
local from, counter, late = KEYS[1], 'held:', 0
local bound = tonumber(redis.call('HGET', KEYS[1], hold .. '#') or nil)
if not bound then
  from, counter = KEYS[2], 'doubt:'
  bound = tonumber(redis.call('HGET', KEYS[2], hold .. '#') or nil)
  if not bound then return {'gone'} end
  if redis.call('HGET', KEYS[2], hold .. '@') == 'lease' then late = 1 end
end

local pairs_at = 8
local scopes_at = pairs_at + 1 + tonumber(ARGV[pairs_at]) * 2
local time = redis.call('TIME')
local now_us = tonumber(time[1]) * 1000000 + tonumber(time[2])
local overrun = cost > bound and 1 or 0
local remaining, soft_exceeded = -1, 0

-- Read everything first: a damaged counter must stop the script before it has written anything.
local scopes = {}
for i = 8, #KEYS do
  local at = scopes_at + (i - 8) * 2
  local period = ARGV[at + 1]
  local v = redis.call('HMGET', KEYS[i], 'spent:' .. period, 'held:' .. period, 'doubt:' .. period,
    'hard', 'soft', 'thresholds', 'tpm', 'tat:tokens', 'name', 'running')
  local account = ARGV[at] .. ':' .. period
  whole(v[10])
  whole(redis.call('HGET', KEYS[5], 'spent:' .. account))
  local s = {
    name = KEYS[i], label = ARGV[at], account = account, period = period, title = v[9] or '',
    spent = whole(v[1]) + cost, set_aside = whole(v[2]) + whole(v[3]) - bound,
    hard = tonumber(v[4] or nil), soft = tonumber(v[5] or nil), thresholds = v[6],
    tpm = tonumber(v[7] or nil), tat_tokens = tonumber(v[8] or 0),
  }
  if s.hard then
    local left = math.max(s.hard - s.spent - s.set_aside, 0)
    if remaining < 0 or left < remaining then remaining = left end
  end
  if s.soft and s.spent >= math.max(s.soft, 1) then soft_exceeded = 1 end
  scopes[#scopes + 1] = s
end
for pair = pairs_at + 1, scopes_at - 1, 2 do whole(redis.call('HGET', KEYS[6], ARGV[pair])) end

redis.call('HDEL', from, hold, hold .. '#', hold .. '@')
local row = {'XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'row', ARGV[3], 'cost', cost, 'bound', bound,
  'overrun', overrun, 'late', late}
for _, s in ipairs(scopes) do
  redis.call('HINCRBY', s.name, 'spent:' .. s.period, cost)
  redis.call('HINCRBY', s.name, counter .. s.period, 0 - bound)
  if counter == 'held:' then redis.call('HINCRBY', s.name, 'running', -1) end
  if s.tpm then
    local debt_us = math.floor(tonumber(ARGV[7]) * MINUTE_US / s.tpm)
    redis.call('HSET', s.name, 'tat:tokens', math.max(s.tat_tokens, now_us) + debt_us)
  end
  redis.call('HINCRBY', KEYS[5], 'spent:' .. s.account, cost)
  row[#row + 1] = 'spent:' .. s.account
  row[#row + 1] = s.spent
  tell_crossings(s.name, KEYS[4], s.label, s.title, s.period, s.soft, s.hard, s.thresholds, s.spent)
end
for pair = pairs_at + 1, scopes_at - 1, 2 do
  redis.call('HINCRBY', KEYS[6], ARGV[pair], ARGV[pair + 1])
end
redis.call('ZADD', KEYS[7], ARGV[5], ARGV[6])
local row_id = redis.call(unpack(row))
for _, s in ipairs(scopes) do redis.call('HSET', KEYS[5], 'row:' .. s.account, row_id) end
return {'settled', row_id, remaining, soft_exceeded, overrun, late, bound}
