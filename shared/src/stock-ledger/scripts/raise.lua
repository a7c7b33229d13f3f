#!lua
--[[
Lets the ledger follow a movement that MongoDB has: the last unit becomes the given one when that is
higher. Can be repeated for ever. Makes the product's line when there is none.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    epoch, fenced
KEYS[3] stock     hash    counters per product
ARGV[1] runId
ARGV[2] productId
ARGV[3] lastUnit
RETURNS "not_admitted" | "fenced" | "raised" | "already"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'not_admitted'
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' then
  return 'fenced'
end
local id, last = ARGV[2], tonumber(ARGV[3])
assert(last and last >= 0 and last <= 9007199254740991 and last % 1 == 0, 'malformed lastUnit')
local line = redis.call('HMGET', KEYS[3], id .. ':last', id .. ':available')
if not line[1] then
  redis.call('HSET', KEYS[3], id .. ':last', ARGV[3], id .. ':next', '1', id .. ':available',
    ARGV[3], id .. ':held', '0', id .. ':gone', '0')
  return 'raised'
end
local more = last - tonumber(line[1])
if more <= 0 then
  return 'already'
end
redis.call('HSET', KEYS[3], id .. ':last', ARGV[3], id .. ':available',
  string.format('%.0f', tonumber(line[2]) + more))
return 'raised'
