#!lua flags=allow-oom
--[[
Closes a sale whose ledger is in doubt. The epoch is the one seen with the evidence: a sale that has
been rebuilt since is not touched.
KEYS[1] admitted  string  run id of the server that was checked
KEYS[2] sale      hash    epoch, fenced
ARGV[1] runId
ARGV[2] epoch
RETURNS "not_admitted" | "fenced" | "already"
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 'not_admitted'
end
local settings = redis.call('HMGET', KEYS[2], 'epoch', 'fenced')
if not settings[1] or settings[2] == '1' or tonumber(settings[1]) > tonumber(ARGV[2]) then
  return 'already'
end
redis.call('HSET', KEYS[2], 'fenced', '1')
return 'fenced'
