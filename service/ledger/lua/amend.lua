#!lua
-- Change a scope's record. What was spent is never touched; a limit set below it is told at once.
--
-- KEYS  1 the scope  hash   2 outbox  stream
-- ARGV  1 scope (key:<id>, project:<id>)   2 period now
--       3 number of fields to set, then as many pairs; then the fields to remove
-- Reply {'amended'} | {'unknown'}: no such scope; nothing changes

-- @include crossings

if redis.call('EXISTS', KEYS[1]) == 0 then return {'unknown'} end
local count = tonumber(ARGV[3])
for i = 0, count - 1 do
  redis.call('HSET', KEYS[1], ARGV[4 + i * 2], ARGV[5 + i * 2])
end
for i = 4 + count * 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end

local scope, period = ARGV[1], ARGV[2]
local v = redis.call('HMGET', KEYS[1], 'hard', 'soft', 'thresholds', 'spent:' .. period, 'name')
local hard, soft, spent = tonumber(v[1] or nil), tonumber(v[2] or nil), tonumber(v[4] or 0)
tell_crossings(KEYS[1], KEYS[2], scope, v[5] or '', period, soft, hard, v[3], spent)
return {'amended'}
