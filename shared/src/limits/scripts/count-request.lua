--[[
Counts a request unless its window is full, so that a point given back is worth one request:
refused requests take nothing. A negative number gives points back, never below none.
KEYS[1] window  string  points taken; expires with the window
ARGV[1] points         to take, or below zero to give back
ARGV[2] windowSeconds
ARGV[3] limit
RETURNS {points taken, above the limit when refused; ms until the window ends}
]]
local taken = tonumber(redis.call('get', KEYS[1]) or '0')
local points = tonumber(ARGV[1])
local windowMs = tonumber(ARGV[2]) * 1000
local leftMs = redis.call('pttl', KEYS[1])

if points < 0 then
  if leftMs < 0 then return { 0, windowMs } end
  local back = math.min(taken, -points)
  return { redis.call('decrby', KEYS[1], back), leftMs }
end

if taken + points > tonumber(ARGV[3]) and leftMs >= 0 then
  return { taken + points, leftMs }
end
if leftMs < 0 then
  redis.call('set', KEYS[1], points, 'PX', windowMs)
  return { points, windowMs }
end
return { redis.call('incrby', KEYS[1], points), leftMs }
