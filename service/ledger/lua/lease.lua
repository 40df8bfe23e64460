#!lua flags=allow-oom
-- Renew a worker's lease, by Redis' clock.
--
-- KEYS  1 leases  zset
-- ARGV  1 worker  2 length (ms)
-- Reply now (epoch ms)

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[2]), ARGV[1])
return now_ms
