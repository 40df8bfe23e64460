#!lua flags=allow-oom
-- Give a hold back: the call cost nothing. Held or in doubt alike, once per hold id.
--
-- KEYS  1 held:<worker>  hash   2 doubt  hash   3.. scopes  hash
-- ARGV  1 hold id        2.. a period a scope
-- Reply {'released', bound} | {'gone'}: no such hold; nothing changes

-- @include counters
-- @include give_back

local bound = give_back(ARGV[1], 3)
return bound and {'released', bound} or {'gone'}
