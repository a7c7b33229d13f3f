#!lua
--[[
Takes units for up to 128 orders of one sale, each order all or nothing over its items, and writes
their hold records, keys and marks. A bare hold is for no order: it has a deadline of its own, is
never unrecorded, and a buyer has at most 5 in a sale. An order that names one gives it back and
takes its units in the same step; past its deadline it is gone, swept or not. A buyer's order of a
fast sale is marked so in its record: it may be answered from that alone. Where its key may be known
to another sale, such an order takes nothing before that one was asked. Every check comes before the
first write, on figures kept in variables, and every key is read once with the command family that
later writes it: an error of type or number shows itself while nothing has been changed.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    settings, epoch, fenced
KEYS[3] stock     hash    counters and price per product
KEYS[4] buyers    hash    userId -> units not released; timed sales only
KEYS[5] holds     hash    orderId -> hold record
KEYS[6] due       zset    <saleId>/<orderId> by deadline
KEYS[7] unrecorded zset   <saleId>/<orderId> by reservation time
KEYS[8] bare      hash    userId -> number of bare holds
KEYS[9..] idem    string  per order: orderId and request fingerprint under its key
KEYS[..] free     zset    per product: unit numbers that came back
ARGV[1] runId
ARGV[2] saleId
ARGV[3] orderCount    at most 128
ARGV[4] productCount  at most 1000
ARGV[5] recordedCount at most 1000
ARGV[6..] recorded  ids known to be in MongoDB, struck off
ARGV[..] productId  per product of the items, and of the bare holds that are named (all of them)
ARGV[..] order      per order: orderId userId kind(order/house/bare) fingerprint replaces(orderId
                    or "") holdId(or "") ttlMs(of a bare hold, else 0) unasked(1: other sales may
                    know its key, 0: none does) facts itemCount, then per item: number of its
                    product in the list above, quantity
RETURNS "not_admitted" | "unknown_sale" | "fenced" | "ok" and per order a list:
  "reserved" record header | "replayed" orderId recorded(1/0) record or "" | "key_reused"
  | "sold_out" productId available ... | "limit" limit owned | "too_many_holds" most
  | "hold_gone" | "not_open" opensAtMs | "closed"
  | "paused" | "unknown_product" productId | "ask_earlier"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 'not_admitted' }
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced', 'state', 'opensAtMs', 'closesAtMs',
  'perBuyerLimit', 'holdMs', 'durability')
if not settings[1] then
  return { 'unknown_sale' }
end
if settings[2] == '1' then
  return { 'fenced' }
end
local epoch, state = settings[1], settings[3]
local opensAt, closesAt = tonumber(settings[4]), tonumber(settings[5])
local limit, holdMs = tonumber(settings[6]), tonumber(settings[7])
local timed, fast = opensAt > 0, settings[8] == 'fast'
local saleId = ARGV[2]
local orderCount, productCount, recordedCount = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
-- Lua passes at most some thousand arguments: what is written below stays under that.
if orderCount > 128 or productCount > 1000 or recordedCount > 1000 then
  return redis.error_reply('ERR call too large')
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local idemBase = 8
local mostBare = 5
local freeBase = idemBase + orderCount

local function int(value)
  return string.format('%.0f', value)
end

-- Stored figures must be whole numbers now, else a later write would spoil or fail.
local function whole(stored, least)
  local number = tonumber(stored)
  assert(number and number >= least and number <= 9007199254740991 and number % 1 == 0,
    'malformed number in the ledger')
  return number
end

local function write(command, key, values)
  if #values > 0 then redis.call(command, key, unpack(values)) end
end

redis.call('ZCARD', KEYS[6])
redis.call('ZCARD', KEYS[7])
redis.call('HLEN', KEYS[8])

-- What there is of each product. Room is counted from the numbers themselves.
local products = {}
for i = 1, productCount do
  local id = ARGV[5 + recordedCount + i]
  local line = redis.call('HMGET', KEYS[3], id .. ':last', id .. ':next', id .. ':available',
    id .. ':held', id .. ':price', id .. ':away')
  local product = { id = id, known = line[1] and line[5] and true, away = line[6] == '1', taken = 0,
    returned = {} }
  if product.known then
    product.free = redis.call('ZCARD', KEYS[freeBase + i])
    product.next = whole(line[2], 1)
    product.room = product.free + whole(line[1], 0) - product.next + 1
    product.available = whole(line[3], 0)
    product.held = whole(line[4], 0)
    product.price = whole(line[5], 0)
  end
  products[i] = product
end

-- Decide.
local replies, accepted, byKey, ids, owned, touched = {}, {}, {}, {}, {}, {}
local bare, bareTouched, taken = {}, {}, {}
local cursor = 5 + recordedCount + productCount

local function headerOf(record)
  return cjson.decode(string.sub(record, 1, string.find(record, '\n', 1, true) - 1))
end

-- The bare hold that an order names, with its units by product; nil when it is gone, or has a
-- product that is not among those of the call.
local function readHold(order)
  local stored = not taken[order.holdId] and redis.call('HGET', KEYS[5], order.holdId)
  local header = stored and headerOf(stored)
  if not header or header.kind ~= 'bare' or header.userId ~= order.userId
    or header.expiresAt <= now then
    return nil
  end
  local hold, found = { id = order.holdId, units = {}, count = 0 }, 0
  for i, product in ipairs(products) do
    hold.units[i] = header.units[product.id] or {}
    hold.count = hold.count + #hold.units[i]
    if #hold.units[i] > 0 then
      assert(product.known, 'a hold of a product that has no line')
      found = found + 1
    end
    for _, number in ipairs(hold.units[i]) do whole(number, 1) end
  end
  for _ in pairs(header.units) do found = found - 1 end
  -- A product of the hold that the call does not name: the caller has not seen this hold, and the
  -- other orders of the call are not to pay for that.
  return found == 0 and hold or nil
end

local function bareCount(userId)
  bare[userId] = bare[userId] or whole(redis.call('HGET', KEYS[8], userId) or 0, 0)
  return bare[userId]
end

local function refusal(order)
  if fast and order.kind == 'order' and order.unasked then return { 'ask_earlier' } end
  if order.kind ~= 'house' then
    if state == 'closed' then return { 'closed' } end
    if state == 'paused' then return { 'paused' } end
    if now < opensAt then return { 'not_open', int(opensAt) } end
    if closesAt > 0 and now >= closesAt then return { 'closed' } end
  end
  if order.holdId ~= '' then
    order.hold = readHold(order)
    if not order.hold then return { 'hold_gone' } end
  end
  for _, item in ipairs(order.items) do
    local product = products[item.product]
    if not product.known or (product.away and order.kind ~= 'house') then
      return { 'unknown_product', product.id }
    end
  end
  local short = { 'sold_out' }
  for _, item in ipairs(order.items) do
    local product = products[item.product]
    local left = product.room - product.taken
    if order.hold then left = left + #order.hold.units[item.product] end
    if left < item.quantity then
      table.insert(short, product.id)
      table.insert(short, int(math.max(left, 0)))
    end
  end
  if #short > 1 then return short end
  if timed and order.kind ~= 'house' then
    owned[order.userId] = owned[order.userId]
      or whole(redis.call('HGET', KEYS[4], order.userId) or 0, 0)
    local counted = owned[order.userId]
    if order.hold then counted = math.max(counted - order.hold.count, 0) end
    if limit > 0 and counted + order.units > limit then
      return { 'limit', int(limit), int(counted) }
    end
  end
  if order.kind == 'bare' or order.hold then
    local count = bareCount(order.userId)
    if order.kind == 'bare' and count - (order.hold and 1 or 0) >= mostBare then
      return { 'too_many_holds', int(mostBare) }
    end
  end
  return nil
end

-- Gives the hold back: from here on its units are there for anybody.
local function takeBack(order)
  local hold = order.hold
  taken[hold.id] = true
  for i, numbers in pairs(hold.units) do
    local product = products[i]
    for _, number in ipairs(numbers) do table.insert(product.returned, number) end
    product.room = product.room + #numbers
  end
  bare[order.userId] = math.max(bare[order.userId] - 1, 0)
  bareTouched[order.userId] = true
  if timed and order.kind ~= 'house' then
    owned[order.userId] = math.max(owned[order.userId] - hold.count, 0)
  end
end

for i = 1, orderCount do
  local order = {
    id = ARGV[cursor + 1], userId = ARGV[cursor + 2], kind = ARGV[cursor + 3],
    fingerprint = ARGV[cursor + 4], holdId = ARGV[cursor + 6], ttlMs = tonumber(ARGV[cursor + 7]),
    unasked = ARGV[cursor + 8] == '1', facts = ARGV[cursor + 9], items = {}, units = 0,
  }
  local replaces = ARGV[cursor + 5]
  local itemCount = tonumber(ARGV[cursor + 10])
  cursor = cursor + 10
  if order.kind == 'bare' then whole(order.ttlMs, 1) end
  local seen = {}
  for _ = 1, itemCount do
    local item = { product = tonumber(ARGV[cursor + 1]), quantity = tonumber(ARGV[cursor + 2]) }
    cursor = cursor + 2
    if not products[item.product] or seen[item.product] or not item.quantity
      or item.quantity < 1 or item.quantity ~= math.floor(item.quantity) then
      return redis.error_reply('ERR malformed items')
    end
    seen[item.product] = true
    order.units = order.units + item.quantity
    table.insert(order.items, item)
  end
  if #order.items == 0 then
    return redis.error_reply('ERR malformed items')
  end

  local key = KEYS[idemBase + i]
  local twin = byKey[key]
  local stored = redis.call('GET', key)
  local storedId = stored and string.sub(stored, 1, 24)
  if twin then
    -- The same key twice in one call: the second is a replay of the first.
    replies[i] = twin.fingerprint == order.fingerprint and 
      { 'replayed', twin.id, twin.kind == 'bare' and '1' or '0', twin }
      or { 'key_reused' }
  elseif stored and string.sub(stored, 26) ~= order.fingerprint then
    replies[i] = { 'key_reused' }
  else
    local record = stored and not taken[storedId] and redis.call('HGET', KEYS[5], storedId)
    if record and order.kind == 'bare' and headerOf(record).expiresAt <= now then record = false end
    if stored and (record or replaces ~= storedId) then
      local open = redis.call('ZSCORE', KEYS[7], saleId .. '/' .. storedId)
      replies[i] = { 'replayed', storedId, open and '0' or '1', record or '' }
    else
      replies[i] = refusal(order)
      if not replies[i] then
        -- A second hold under one id would make the first one's units nobody's.
        if ids[order.id] or redis.call('HEXISTS', KEYS[5], order.id) == 1 then
          return redis.error_reply('ERR order id in use')
        end
        ids[order.id] = true
        if order.hold then takeBack(order) end
        if order.kind == 'bare' then
          bare[order.userId] = bare[order.userId] + 1
          bareTouched[order.userId] = true
        end
        for _, item in ipairs(order.items) do
          products[item.product].taken = products[item.product].taken + item.quantity
        end
        if timed and order.kind ~= 'house' then
          owned[order.userId] = owned[order.userId] + order.units
          touched[order.userId] = true
        end
        order.index, order.key = i, key
        byKey[key] = order
        table.insert(accepted, order)
      end
    end
  end
end

-- Choose the numbers: those that came back first, lowest first, then new ones.
local counters = {}
for i, product in ipairs(products) do
  product.numbers, product.given, product.back, product.spare = {}, 0, 0, {}
  if product.taken > 0 or #product.returned > 0 then
    local pool = {}
    local fromFree = math.min(product.taken, product.free)
    if fromFree > 0 then
      for j, number in ipairs(redis.call('ZRANGE', KEYS[freeBase + i], 0, fromFree - 1)) do
        pool[j] = { number = whole(number, 1), free = true }
      end
    end
    for _, number in ipairs(product.returned) do table.insert(pool, { number = number }) end
    table.sort(pool, function(one, other) return one.number < other.number end)
    for j, entry in ipairs(pool) do
      assert(entry.number < product.next, 'free number that was never given out')
      if j <= product.taken then
        product.numbers[j] = entry.number
        if entry.free then product.back = product.back + 1 end
      elseif not entry.free then
        table.insert(product.spare, int(entry.number))
        table.insert(product.spare, int(entry.number))
      end
    end
    for j = #pool + 1, product.taken do
      product.numbers[j] = product.next
      product.next = product.next + 1
    end
    product.held = product.held - #product.returned
    table.insert(counters, product.id .. ':next')
    table.insert(counters, int(product.next))
    table.insert(counters, product.id .. ':available')
    table.insert(counters, int(product.available + #product.returned - product.taken))
  end
end

-- Write. Nothing below can fail.
local struckOff = {}
for i = 1, recordedCount do
  struckOff[i] = saleId .. '/' .. ARGV[5 + i]
end
write('ZREM', KEYS[7], struckOff)
for i, product in ipairs(products) do
  if product.back > 0 then
    redis.call('ZREMRANGEBYRANK', KEYS[freeBase + i], 0, product.back - 1)
  end
  -- In slices: Lua passes at most some thousand arguments.
  for from = 1, #product.spare, 2000 do
    redis.call('ZADD', KEYS[freeBase + i],
      unpack(product.spare, from, math.min(from + 1999, #product.spare)))
  end
end
for holdId in pairs(taken) do
  redis.call('HDEL', KEYS[5], holdId)
  redis.call('ZREM', KEYS[6], saleId .. '/' .. holdId)
end

local records, marks, deadlines = {}, {}, {}
for _, order in ipairs(accepted) do
  local units, prices = {}, {}
  local expiresAt = 0
  if order.kind == 'bare' then
    expiresAt = now + order.ttlMs
  elseif holdMs > 0 and order.kind ~= 'house' then
    expiresAt = now + holdMs
  end
  for j, item in ipairs(order.items) do
    local product = products[item.product]
    local numbers = {}
    for k = 1, item.quantity do
      numbers[k] = int(product.numbers[product.given + k])
    end
    product.given = product.given + item.quantity
    if expiresAt > 0 then product.held = product.held + item.quantity end
    units[j] = string.format('"%s":[%s]', product.id, table.concat(numbers, ','))
    prices[j] = string.format('"%s":%s', product.id, int(product.price))
  end
  local header = string.format(
    '{"kind":"%s","userId":"%s","epoch":%s,"at":%s,"expiresAt":%s,"units":{%s},"prices":{%s}%s}',
    order.kind, order.userId, epoch, int(now), int(expiresAt), table.concat(units, ','),
    table.concat(prices, ','), fast and order.kind == 'order' and ',"fast":true' or '')
  order.record = header .. '\n' .. order.facts
  replies[order.index] = { 'reserved', header }
  table.insert(records, order.id)
  table.insert(records, order.record)
  if order.kind ~= 'bare' then
    table.insert(marks, int(now))
    table.insert(marks, saleId .. '/' .. order.id)
  end
  if expiresAt > 0 then
    table.insert(deadlines, int(expiresAt))
    table.insert(deadlines, saleId .. '/' .. order.id)
  end
  redis.call('SET', order.key, order.id .. ' ' .. order.fingerprint, 'EX', 86400)
end

if #accepted > 0 then
  for _, product in ipairs(products) do
    if product.taken > 0 or #product.returned > 0 then
      table.insert(counters, product.id .. ':held')
      table.insert(counters, int(product.held))
    end
  end
  write('HSET', KEYS[3], counters)
  write('HSET', KEYS[5], records)
  write('ZADD', KEYS[7], marks)
  write('ZADD', KEYS[6], deadlines)
  local counts = {}
  for userId in pairs(touched) do
    table.insert(counts, userId)
    table.insert(counts, int(owned[userId]))
  end
  write('HSET', KEYS[4], counts)
  local bareCounts = {}
  for userId in pairs(bareTouched) do
    table.insert(bareCounts, userId)
    table.insert(bareCounts, int(bare[userId]))
  end
  write('HSET', KEYS[8], bareCounts)
end

for i = 1, orderCount do
  local reply = replies[i]
  if reply[1] == 'replayed' and type(reply[4]) == 'table' then reply[4] = reply[4].record end
end
return { 'ok', unpack(replies) }
