#!lua
--[[
Writes a sale back whose ledger was lost or is in doubt. The first slice raises the epoch and fences
the sale; every later one is refused unless it is the next of that epoch, so a rebuilder that was
overtaken, or whose server has forgotten a slice, changes nothing any more. The sale stays fenced
until the last slice has counted its records.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    settings, epoch, fenced; slice: the next one, while it is rebuilt
KEYS[3] stock     hash    counters and price per product
KEYS[4] buyers    hash    userId -> units not released; timed sales only
KEYS[5] holds     hash    orderId -> hold record
KEYS[6] due       zset    <saleId>/<orderId> by deadline
KEYS[7] unrecorded zset   <saleId>/<orderId> by reservation time
KEYS[8] bare      hash    userId -> number of bare holds
KEYS[9..] free    zset    per product: unit numbers that came back
KEYS[..] idem     string  per key: orderId and request fingerprint
ARGV[1] runId
ARGV[2] saleId
ARGV[3] epoch
ARGV[4] slice
ARGV[5] step          begin | clear | write | open
ARGV[6] records       of "open": how many there must be
ARGV[7] settingCount  length of the list below; likewise the next three
ARGV[8] fieldCount
ARGV[9] buyerCount
ARGV[10] recordCount
ARGV[11] struckCount
ARGV[12] productCount
ARGV[13..] setting    field and value of the sale
ARGV[..] field        field and value of the stock
ARGV[..] buyer        userId and units
ARGV[..] record       orderId, record, deadline (0: none)
ARGV[..] struck       orderId whose marks go
ARGV[..] number       per product: how many numbers, then the numbers
ARGV[..] key          per key: value, seconds to live
RETURNS "not_admitted" | "outdated" epoch | "out_of_turn" | "incomplete" records | "ok"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local saleId, epoch, slice, step = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local sale = redis.call('HMGET', KEYS[2], 'epoch', 'fenced', 'slice')
local known = sale[1] and tonumber(sale[1]) or 0
if step == 'begin' then
  if known >= epoch then
    return { 'outdated', sale[1] }
  end
  redis.call('HSET', KEYS[2], 'epoch', ARGV[3], 'fenced', '1', 'slice', '1')
  return { 'ok' }
end
if known ~= epoch then
  return { 'outdated', sale[1] or '0' }
end
if sale[2] ~= '1' or sale[3] ~= slice then
  return { 'out_of_turn' }
end

-- An error of type or number must show itself while nothing has been changed.
redis.call('HLEN', KEYS[3])
redis.call('HLEN', KEYS[4])
local records = redis.call('HLEN', KEYS[5])
redis.call('ZCARD', KEYS[6])
redis.call('ZCARD', KEYS[7])

local function whole(text)
  local number = tonumber(text)
  assert(number and number >= 0 and number <= 9007199254740991 and number % 1 == 0,
    'malformed number of a rebuild')
  return text
end

local nextSlice = string.format('%.0f', tonumber(slice) + 1)
local productCount = tonumber(ARGV[12])
if step == 'clear' then
  -- Whole keys, freed in the background.
  redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5], KEYS[8])
  for i = 1, productCount do redis.call('UNLINK', KEYS[8 + i]) end
  redis.call('HSET', KEYS[2], 'slice', nextSlice)
  return { 'ok' }
end
if step == 'open' then
  if records ~= tonumber(ARGV[6]) then
    return { 'incomplete', tostring(records) }
  end
  redis.call('HDEL', KEYS[2], 'slice')
  redis.call('HSET', KEYS[2], 'fenced', '0')
  return { 'ok' }
end

local cursor = 12
local function take(count)
  local list = {}
  for i = 1, count do list[i] = ARGV[cursor + i] end
  cursor = cursor + count
  return list
end
local settings, fields = take(tonumber(ARGV[7])), take(tonumber(ARGV[8]))
local buyers, recordParts = take(tonumber(ARGV[9])), take(tonumber(ARGV[10]))
local struck = take(tonumber(ARGV[11]))
for i = 2, #buyers, 2 do whole(buyers[i]) end
local stored, deadlines = {}, {}
for i = 1, #recordParts, 3 do
  table.insert(stored, recordParts[i])
  table.insert(stored, recordParts[i + 1])
  if whole(recordParts[i + 2]) ~= '0' then
    table.insert(deadlines, recordParts[i + 2])
    table.insert(deadlines, saleId .. '/' .. recordParts[i])
  end
end
for i = 1, #struck do struck[i] = saleId .. '/' .. struck[i] end
local free = {}
for i = 1, productCount do
  redis.call('ZCARD', KEYS[8 + i])
  free[i] = {}
  for _, number in ipairs(take(tonumber(take(1)[1]))) do
    table.insert(free[i], whole(number))
    table.insert(free[i], number)
  end
end
local keys = take(#ARGV - cursor)
for i = 2, #keys, 2 do assert(tonumber(whole(keys[i])) > 0, 'a key without any time') end

-- Write. In slices: Lua passes at most some thousand arguments.
local function write(command, key, values)
  for from = 1, #values, 2000 do
    redis.call(command, key, unpack(values, from, math.min(from + 1999, #values)))
  end
end
write('HSET', KEYS[2], settings)
write('HSET', KEYS[3], fields)
write('HSET', KEYS[4], buyers)
write('ZREM', KEYS[6], struck)
write('ZREM', KEYS[7], struck)
write('HSET', KEYS[5], stored)
write('ZADD', KEYS[6], deadlines)
for i = 1, productCount do write('ZADD', KEYS[8 + i], free[i]) end
for i = 1, #keys, 2 do
  redis.call('SET', KEYS[8 + productCount + (i + 1) / 2], keys[i], 'EX', keys[i + 1])
end
redis.call('HSET', KEYS[2], 'slice', nextSlice)
return { 'ok' }
