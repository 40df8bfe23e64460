#!lua flags=allow-oom
-- Make sure that a hold whose reserve went unanswered does not exist, now or later.
--
-- KEYS  1 held:<worker>  hash   2 doubt  hash   3 cancelled:<hold>  string   4.. scopes  hash
-- ARGV  1 hold id        2 how long to remember it (ms)      3.. a period a scope
-- Reply {'released', bound}: it had been taken, or swept already, and is given back
--       {'remembered'}: there is none; a late reserve takes nothing

local hold = ARGV[1]
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
local from, counter = KEYS[1], 'held:'
local bound = tonumber(redis.call('HGET', KEYS[1], hold .. '#') or nil)
if not bound then
  from, counter = KEYS[2], 'doubt:'
  bound = tonumber(redis.call('HGET', KEYS[2], hold .. '#') or nil)
  if not bound then return {'remembered'} end
end

redis.call('HDEL', from, hold, hold .. '#', hold .. '@')
for i = 4, #KEYS do
  redis.call('HINCRBY', KEYS[i], counter .. ARGV[i - 1], 0 - bound)
  if counter == 'held:' then redis.call('HINCRBY', KEYS[i], 'running', -1) end
end
return {'released', bound}
