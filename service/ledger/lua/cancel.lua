#!lua flags=allow-oom
-- Make sure that a hold whose reserve went unanswered does not exist, now or later.
--
-- KEYS  1 held:<worker>  hash   2 doubt  hash   3 cancelled:<hold>  string   4.. scopes  hash
-- ARGV  1 hold id        2 how long to remember it (ms)      3.. a period a scope
-- Reply {'released', bound}: it had been taken, or swept already, and is given back
--       {'remembered'}: there is none; a late reserve takes nothing

-- @include counters
-- @include give_back

local bound = give_back(ARGV[1], 4)
redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
return bound and {'released', bound} or {'remembered'}
