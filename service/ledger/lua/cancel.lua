#!lua flags=allow-oom
-- Make sure that a hold whose reserve went unanswered does not exist, now or later.
--
-- KEYS  1 held:<worker>  hash   2 cancelled:<hold>  string   3.. scopes  hash
-- ARGV  1 hold id        2 how long to remember it (ms)      3.. a period a scope
-- Reply {'released', bound}: it had been taken and is given back | {'remembered'}: a late reserve takes nothing

local hold = ARGV[1]
redis.call('SET', KEYS[2], '1', 'PX', ARGV[2])
local bound = tonumber(redis.call('HGET', KEYS[1], hold .. '#') or nil)
if not bound then return {'remembered'} end

redis.call('HDEL', KEYS[1], hold, hold .. '#')
for i = 3, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'held:' .. ARGV[i], 0 - bound)
  redis.call('HINCRBY', KEYS[i], 'running', -1)
end
return {'released', bound}
