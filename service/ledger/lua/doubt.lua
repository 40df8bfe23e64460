#!lua flags=allow-oom
-- Move a hold to in doubt: it stays counted against every limit, but nobody is running it.
--
-- KEYS  1 held:<worker>  hash   2 doubt  hash   3.. scopes  hash
-- ARGV  1 hold id        2 cause ('lease': its worker is gone | 'unanswered')   3.. a period a scope
-- Reply {'in_doubt', bound} | {'gone'}: no such hold; nothing changes

-- @include counters

local hold = ARGV[1]
local record = redis.call('HGET', KEYS[1], hold)
local bound = tonumber(redis.call('HGET', KEYS[1], hold .. '#') or nil)
if not record or not bound then return {'gone'} end
for i = 3, #KEYS do
  whole(redis.call('HGET', KEYS[i], 'held:' .. ARGV[i]))
  whole(redis.call('HGET', KEYS[i], 'doubt:' .. ARGV[i]))
  whole(redis.call('HGET', KEYS[i], 'running'))
end

redis.call('HDEL', KEYS[1], hold, hold .. '#')
redis.call('HSET', KEYS[2], hold, record, hold .. '#', bound, hold .. '@', ARGV[2])
for i = 3, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'held:' .. ARGV[i], 0 - bound)
  redis.call('HINCRBY', KEYS[i], 'doubt:' .. ARGV[i], bound)
  redis.call('HINCRBY', KEYS[i], 'running', -1)
end
return {'in_doubt', bound}
