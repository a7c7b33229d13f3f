#!lua
--[[
Brings a sale's settings, prices and away marks from MongoDB into the ledger. Only a higher version
applies, so repeats and late calls do no harm. An unknown sale is made only on request: one that
should be known and is not has been lost, and must be rebuilt instead.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    settings, epoch, fenced
KEYS[3] stock     hash    counters and price per product
ARGV[1] runId
ARGV[2] create           1 makes an unknown sale
ARGV[3] settingsVersion
ARGV[4] state            live | paused | closed
ARGV[5] opensAtMs        0 in a standing sale
ARGV[6] closesAtMs       0: never
ARGV[7] perBuyerLimit    0: none
ARGV[8] holdMs           0: no payment step
ARGV[9] durability       safe | fast
ARGV[10..] product       per product: productId price(minor units) away(1/0)
RETURNS "not_admitted" | "fenced" | "put" | "already"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'not_admitted'
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced', 'settingsVersion')
if settings[2] == '1' or (not settings[1] and ARGV[2] ~= '1') then
  return 'fenced'
end
if settings[3] and tonumber(settings[3]) >= tonumber(ARGV[3]) then
  return 'already'
end
local lines = {}
for i = 10, #ARGV, 3 do
  table.insert(lines, ARGV[i] .. ':price')
  table.insert(lines, ARGV[i + 1])
  table.insert(lines, ARGV[i] .. ':away')
  table.insert(lines, ARGV[i + 2])
end
redis.call('HLEN', KEYS[3])
redis.call('HSET', KEYS[2], 'epoch', settings[1] or '1', 'fenced', '0', 'settingsVersion', ARGV[3],
  'state', ARGV[4], 'opensAtMs', ARGV[5], 'closesAtMs', ARGV[6], 'perBuyerLimit', ARGV[7],
  'holdMs', ARGV[8], 'durability', ARGV[9])
-- A standing sale may have more products than one command takes arguments.
for from = 1, #lines, 2000 do
  redis.call('HSET', KEYS[3], unpack(lines, from, math.min(from + 1999, #lines)))
end
return 'put'
