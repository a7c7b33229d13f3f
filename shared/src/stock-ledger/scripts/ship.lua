#!lua flags=allow-oom
--[[
Named units of orders leave for good. A unit in the record is the token, as in release.lua: each
leaves once, however often it is asked for. A record that is empty goes, with its marks. What the
buyer has bought still counts towards the limit. A bare hold is never shipped: an order takes it.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    epoch, fenced
KEYS[3] stock     hash    counters per product
KEYS[4] holds     hash    orderId -> hold record
KEYS[5] due       zset    <saleId>/<orderId> by deadline
KEYS[6] unrecorded zset   <saleId>/<orderId> by reservation time
ARGV[1] runId
ARGV[2] saleId
ARGV[3] orderCount
ARGV[4] productCount
ARGV[5..] productId  per product
ARGV[..] order       per order: orderId unitCount, then per unit: number of its product in the list
                     above, unit number
RETURNS "not_admitted" | "fenced" | "ok" and per order "shipped" | "already"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' then
  return { 'fenced' }
end
local saleId, orderCount, productCount = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function int(value)
  return string.format('%.0f', value)
end

-- A stored figure that is no whole number would fail or spoil a write below: fail now.
local function whole(stored)
  local number = tonumber(stored)
  assert(number and number >= 0 and number <= 9007199254740991 and number % 1 == 0,
    'malformed number in the ledger')
  return number
end

redis.call('ZCARD', KEYS[5])
redis.call('ZCARD', KEYS[6])
local products = {}
for i = 1, productCount do
  local id = ARGV[4 + i]
  products[i] = {
    id = id, line = redis.call('HMGET', KEYS[3], id .. ':gone', id .. ':held'),
  }
end

-- Numbers of a product in a record as a set: a large order then costs no more than its size.
local function setOf(record, productId)
  local set = record.sets[productId]
  if not set then
    set = {}
    for _, number in ipairs(record.header.units[productId] or {}) do set[number] = true end
    record.sets[productId] = set
  end
  return set
end

-- Brings the record's lists in line with the sets that units were taken from.
local function dropTaken(record)
  for productId, set in pairs(record.sets) do
    local left = {}
    for _, number in ipairs(record.header.units[productId] or {}) do
      if set[number] then table.insert(left, number) end
    end
    record.header.units[productId] = #left > 0 and left or nil
  end
end

-- Decide, on records kept in variables: the same order may be named twice.
local replies, records = { 'ok' }, {}
local cursor = 4 + productCount
for _ = 1, orderCount do
  local orderId, unitCount = ARGV[cursor + 1], tonumber(ARGV[cursor + 2])
  cursor = cursor + 2
  local record = records[orderId]
  if record == nil then
    record = false
    local stored = redis.call('HGET', KEYS[4], orderId)
    if stored then
      local cut = string.find(stored, '\n', 1, true)
      record = { header = cjson.decode(string.sub(stored, 1, cut - 1)),
        facts = string.sub(stored, cut), sets = {} }
    end
    records[orderId] = record
  end
  local shipped = false
  for _ = 1, unitCount do
    local product, unit = products[tonumber(ARGV[cursor + 1])], tonumber(ARGV[cursor + 2])
    cursor = cursor + 2
    local set = record and record.header.kind ~= 'bare' and setOf(record, product.id) or {}
    if set[unit] then
      set[unit] = nil
      product.gone = (product.gone or whole(product.line[1])) + 1
      product.held = product.held or whole(product.line[2])
      if record.header.expiresAt > 0 then product.held = product.held - 1 end
      shipped = true
    end
  end
  if shipped then
    dropTaken(record)
    record.changed = true
  end
  table.insert(replies, shipped and 'shipped' or 'already')
end

-- Write.
for _, product in ipairs(products) do
  if product.gone then
    redis.call('HSET', KEYS[3], product.id .. ':gone', int(product.gone),
      product.id .. ':held', int(product.held))
  end
end
for orderId, record in pairs(records) do
  if record and record.changed then
    if next(record.header.units) then
      redis.call('HSET', KEYS[4], orderId, cjson.encode(record.header) .. record.facts)
    else
      redis.call('HDEL', KEYS[4], orderId)
      redis.call('ZREM', KEYS[5], saleId .. '/' .. orderId)
      redis.call('ZREM', KEYS[6], saleId .. '/' .. orderId)
    end
  end
end
return replies
