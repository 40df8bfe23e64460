-- The integer a counter holds (absent: 0). Any other text stops the script, which must not have written
-- yet: HINCRBY would stop it half-way, and what it had written would stay.
local function whole(value)
  if not value then return 0 end
  if not string.find(value, '^-?%d+$') then error('damaged balance') end
  return tonumber(value)
end
