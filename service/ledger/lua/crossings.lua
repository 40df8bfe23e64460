-- Write one event for each threshold that what was spent has reached: one per threshold, limit value and
-- period, ever. The thresholds are per cent of the soft limit, else of the hard one.
local function tell_crossings(scope_name, outbox, scope, title, period, soft, hard, thresholds, spent)
  local limit = soft or hard
  if not limit or not thresholds then return end
  for per_cent in string.gmatch(thresholds, '%d+') do
    local p = tonumber(per_cent)
    -- Split at hundreds, so that no product leaves the integers a double holds exactly.
    local mark = math.floor(limit / 100) * p + math.ceil(limit % 100 * p / 100)
    local told = string.format('alerted:%s:%d:%.0f', period, p, limit)
    if spent >= math.max(mark, 1) and redis.call('HSETNX', scope_name, told, 1) == 1 then
      redis.call('XADD', outbox, 'MAXLEN', '~', 100000, '*', 'type', 'threshold_crossed', 'scope', scope,
        'name', title, 'period', period, 'per_cent', p, 'limit_kind', soft and 'soft' or 'hard',
        'limit', limit, 'spent', spent)
    end
  end
end
