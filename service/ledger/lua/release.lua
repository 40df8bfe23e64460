#!lua flags=allow-oom
-- Give a hold back: the call cost nothing. Held or in doubt alike, once per hold id.
--
-- KEYS  1 held:<worker>  hash   2 doubt  hash   3.. scopes  hash
-- ARGV  1 hold id        2.. a period a scope
-- Reply {'released', bound} | {'gone'}: no such hold; nothing changes

local hold = ARGV[1]
local from, counter = KEYS[1], 'held:'
local bound = tonumber(redis.call('HGET', KEYS[1], hold .. '#') or nil)
if not bound then
  from, counter = KEYS[2], 'doubt:'
  bound = tonumber(redis.call('HGET', KEYS[2], hold .. '#') or nil)
  if not bound then return {'gone'} end
end

redis.call('HDEL', from, hold, hold .. '#', hold .. '@')
for i = 3, #KEYS do
  redis.call('HINCRBY', KEYS[i], counter .. ARGV[i - 1], 0 - bound)
  if counter == 'held:' then redis.call('HINCRBY', KEYS[i], 'running', -1) end
end
return {'released', bound}
