-- Take a hold out of held:<worker> (KEYS[1]), else out of doubt (KEYS[2]), and out of its scopes' counters:
-- KEYS from `first` on, their periods ARGV from `first - 1` on. Gives its bound; nil if there is no such hold.
local function give_back(hold, first)
  local from, counter = KEYS[1], 'held:'
  local bound = tonumber(redis.call('HGET', from, hold .. '#') or nil)
  if not bound then
    from, counter = KEYS[2], 'doubt:'
    bound = tonumber(redis.call('HGET', from, hold .. '#') or nil)
    if not bound then return nil end
  end
  for i = first, #KEYS do
    whole(redis.call('HGET', KEYS[i], counter .. ARGV[i - 1]))
    whole(redis.call('HGET', KEYS[i], 'running'))
  end

  redis.call('HDEL', from, hold, hold .. '#', hold .. '@')
  for i = first, #KEYS do
    redis.call('HINCRBY', KEYS[i], counter .. ARGV[i - 1], 0 - bound)
    if counter == 'held:' then redis.call('HINCRBY', KEYS[i], 'running', -1) end
  end
  return bound
end
