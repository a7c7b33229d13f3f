#!lua flags=allow-oom
--[[
Puts named units of orders back to free. A unit in the record is the token: each comes back once,
however often it is asked for. A record that is empty goes, with its marks.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    epoch, fenced
KEYS[3] stock     hash    counters per product
KEYS[4] buyers    hash    userId -> units not released; timed sales only
KEYS[5] holds     hash    orderId -> hold record
KEYS[6] due       zset    <saleId>/<orderId> by deadline
KEYS[7] unrecorded zset   <saleId>/<orderId> by reservation time
KEYS[8] bare      hash    userId -> number of bare holds
KEYS[9..] free    zset    per product: unit numbers that came back
ARGV[1] runId
ARGV[2] saleId
ARGV[3] orderCount
ARGV[4] productCount
ARGV[5..] productId  per product
ARGV[..] order       per order: orderId unitCount, then per unit: number of its product in the list
                     above, unit number
RETURNS "not_admitted" | "fenced" | "ok" and per order "released" | "already"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced', 'opensAtMs')
if not settings[1] or settings[2] == '1' then
  return { 'fenced' }
end
local timed = tonumber(settings[3]) > 0
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

redis.call('ZCARD', KEYS[6])
redis.call('ZCARD', KEYS[7])
redis.call('HLEN', KEYS[8])
local products = {}
for i = 1, productCount do
  local id = ARGV[4 + i]
  local line = redis.call('HMGET', KEYS[3], id .. ':available', id .. ':held')
  redis.call('ZCARD', KEYS[8 + i])
  products[i] = { id = id, line = line, back = {} }
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
local replies, records, owned, touched, bare = {}, {}, {}, {}, {}
local cursor = 4 + productCount
for i = 1, orderCount do
  local orderId, unitCount = ARGV[cursor + 1], tonumber(ARGV[cursor + 2])
  cursor = cursor + 2
  local record = records[orderId]
  if record == nil then
    record = false
    local stored = redis.call('HGET', KEYS[5], orderId)
    if stored then
      local cut = string.find(stored, '\n', 1, true)
      record = { header = cjson.decode(string.sub(stored, 1, cut - 1)),
        facts = string.sub(stored, cut), sets = {} }
    end
    records[orderId] = record
  end
  local released = 0
  for _ = 1, unitCount do
    local product, unit = products[tonumber(ARGV[cursor + 1])], tonumber(ARGV[cursor + 2])
    cursor = cursor + 2
    local set = record and setOf(record, product.id) or {}
    if set[unit] then
      set[unit] = nil
      product.available = (product.available or whole(product.line[1])) + 1
      product.held = product.held or whole(product.line[2])
      if record.header.expiresAt > 0 then product.held = product.held - 1 end
      table.insert(product.back, int(unit))
      table.insert(product.back, int(unit))
      released = released + 1
    end
  end
  if released > 0 then
    dropTaken(record)
    record.changed = true
    local userId = record.header.userId
    if timed and record.header.kind ~= 'house' then
      owned[userId] = owned[userId] or whole(redis.call('HGET', KEYS[4], userId) or 0)
      owned[userId] = math.max(owned[userId] - released, 0)
      touched[userId] = true
    end
    if record.header.kind == 'bare' and not next(record.header.units) then
      bare[userId] = bare[userId] or whole(redis.call('HGET', KEYS[8], userId) or 0)
      bare[userId] = math.max(bare[userId] - 1, 0)
    end
  end
  replies[i] = released > 0 and 'released' or 'already'
end

-- Write.
for i, product in ipairs(products) do
  if #product.back > 0 then
    -- In slices: Lua passes at most some thousand arguments, and nothing may fail from here on.
    for from = 1, #product.back, 2000 do
      redis.call('ZADD', KEYS[8 + i], unpack(product.back, from, math.min(from + 1999, #product.back)))
    end
    redis.call('HSET', KEYS[3], product.id .. ':available', int(product.available),
      product.id .. ':held', int(product.held))
  end
end
for orderId, record in pairs(records) do
  if record and record.changed then
    if next(record.header.units) then
      redis.call('HSET', KEYS[5], orderId, cjson.encode(record.header) .. record.facts)
    else
      redis.call('HDEL', KEYS[5], orderId)
      redis.call('ZREM', KEYS[6], saleId .. '/' .. orderId)
      redis.call('ZREM', KEYS[7], saleId .. '/' .. orderId)
    end
  end
end
for userId in pairs(touched) do
  redis.call('HSET', KEYS[4], userId, int(owned[userId]))
end
for userId, count in pairs(bare) do
  redis.call('HSET', KEYS[8], userId, int(count))
end
return { 'ok', unpack(replies) }
