--[[
SPDX-License-Identifier: Apache-2.0

neurald's rspamd plugin: asks `neurald serve` about each scan and inserts
NEURALD_SPAM or NEURALD_HAM; sends it what rspamd is sure of (autolearn) and what
users say (the request header Neurald-Learn). docs/rspamd.md says how to set it
up; local.d/neurald.conf has its settings.

Nothing here stops mail: whatever goes wrong ends in no symbol, within the
timeout.
]]--

if confighelp then
  return
end

local bit = require "bit"
local ffi = require "ffi"
local lua_util = require "lua_util"
local rspamd_http = require "rspamd_http"
local rspamd_logger = require "rspamd_logger"
local ucl = require "ucl"

local N = "neurald"

local settings = {
  url = "http://127.0.0.1:11380",
  timeout = 2.0,
  send_message = false,
  symbol_spam = "NEURALD_SPAM",
  symbol_ham = "NEURALD_HAM",
  autolearn = false,
  spam_score = 15.0,
  ham_score = -5.0,
  token = nil,
  token_file = nil,
}

-- ---- the identity of a message (docs/formats/identity.md) ----

local function word(high, low)
  return ffi.new("uint64_t", high) * 0x100000000 + low
end

-- BLAKE2b (RFC 7693) of 16 bytes without a key; rspamd's own has 64.
local IV = {
  [0] = word(0x6a09e667, 0xf3bcc908), word(0xbb67ae85, 0x84caa73b),
  word(0x3c6ef372, 0xfe94f82b), word(0xa54ff53a, 0x5f1d36f1),
  word(0x510e527f, 0xade682d1), word(0x9b05688c, 0x2b3e6c1f),
  word(0x1f83d9ab, 0xfb41bd6b), word(0x5be0cd19, 0x137e2179),
}
local SIGMA = {
  {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
  {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
  {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
  {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
  {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
  {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
  {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
  {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
  {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
  {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}
-- The words that each of the eight mixings of a round works on.
local MIXED = {
  {0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
  {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14},
}
local BLOCK = 128

local function mix(v, places, x, y)
  local a, b, c, d = places[1], places[2], places[3], places[4]
  v[a] = v[a] + v[b] + x
  v[d] = bit.ror(bit.bxor(v[d], v[a]), 32)
  v[c] = v[c] + v[d]
  v[b] = bit.ror(bit.bxor(v[b], v[c]), 24)
  v[a] = v[a] + v[b] + y
  v[d] = bit.ror(bit.bxor(v[d], v[a]), 16)
  v[c] = v[c] + v[d]
  v[b] = bit.ror(bit.bxor(v[b], v[c]), 63)
end

local function compress(h, block, done, is_last)
  local v = ffi.new("uint64_t[16]")
  for i = 0, 7 do
    v[i], v[i + 8] = h[i], IV[i]
  end
  v[12] = bit.bxor(v[12], ffi.new("uint64_t", done))
  if is_last then
    v[14] = bit.bnot(v[14])
  end
  for round = 0, 11 do
    local order = SIGMA[round % 10 + 1]
    for i = 1, 8 do
      mix(v, MIXED[i], block[order[2 * i - 1]], block[order[2 * i]])
    end
  end
  for i = 0, 7 do
    h[i] = bit.bxor(h[i], bit.bxor(v[i], v[i + 8]))
  end
end

local function blake2b_128(text)
  local h = ffi.new("uint64_t[8]")
  local block = ffi.new("uint64_t[16]")
  for i = 0, 7 do
    h[i] = IV[i]
  end
  h[0] = bit.bxor(h[0], ffi.new("uint64_t", 0x01010000 + 16))
  local at = 0
  repeat
    local count = math.min(BLOCK, #text - at)
    ffi.fill(block, BLOCK)
    ffi.copy(block, text:sub(at + 1, at + count), count)
    at = at + count
    compress(h, block, at, at == #text)
  until at == #text
  return (ffi.string(h, 16):gsub(".", function(c)
    return string.format("%02x", c:byte())
  end))
end

local function fold(value)
  return (value:gsub("[ \t\r\n]+", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- The first value of each field that counts, by its name in lower case, from a
-- header in which lines end in LF.
local function first_fields(header)
  local fields, name = {}, nil
  for line in (header .. "\n"):gmatch("([^\n]*)\n") do
    local field, value = line:match("^([!-9;-~]+)[ \t]*:(.*)$")
    if line:match("^[ \t]") then
      if name then
        fields[name] = fields[name] .. "\n" .. line
      end
    elseif field then
      name = field:lower()
      if fields[name] then
        name = nil -- a later one of that name
      else
        fields[name] = value
      end
    end
  end
  return fields
end

-- Header and body of the bytes that were scanned, CR LF apart.
local function part_message(raw)
  local text = raw:gsub("\r\n", "\n")
  if text:sub(1, 1) == "\n" then
    return "", text:sub(2)
  end
  local header_end, body_start = text:find("\n\n", 1, true)
  if not header_end then
    return text, ""
  end
  return text:sub(1, header_end - 1), text:sub(body_start + 1)
end

local function identity(raw)
  local header, body = part_message(raw)
  local fields = first_fields(header)
  local function value(name)
    return fold(fields[name] or "")
  end
  local message_id = value("message-id")
  local has_id = message_id:match("[^<> ]") ~= nil
  local text = "message-id:" .. (has_id and message_id or "") .. "\n" ..
      "date:" .. value("date") .. "\n" .. "from:" .. value("from") .. "\n" ..
      "subject:" .. value("subject") .. "\n"
  if not has_id then
    text = text .. body:sub(1, 65536):gsub("\n+$", "")
  end
  return blake2b_128(text)
end

-- ---- asking ----

local function is_ours(name)
  return name == settings.symbol_spam or name == settings.symbol_ham
end

-- What rspamd found, without what we said, and the score without it.
local function findings(task)
  local symbols = {}
  local metric = task:get_metric_score("default") or {0, 0}
  local score = metric[1]
  for _, symbol in ipairs(task:get_symbols_all()) do
    if is_ours(symbol.name) then
      score = score - (symbol.score or 0)
    else
      symbols[symbol.name] = symbol.score or 0
    end
  end
  return symbols, score
end

local function scan_json(task)
  local symbols, score = findings(task)
  return ucl.to_format({
    symbols = symbols,
    score = score,
    id = task:get_message_id(),
    identity = identity(tostring(task:get_content())),
  }, "json-compact", true)
end

-- The scan alone, or the message with it.
local function body_of(task, scan)
  if not settings.send_message then
    return scan, "application/json"
  end
  local raw = tostring(task:get_content())
  local boundary
  repeat
    boundary = lua_util.random_hex and lua_util.random_hex(24) or
        string.format("neurald%08x%08x", math.random(0, 0x7fffffff),
            math.random(0, 0x7fffffff))
  until not raw:find(boundary, 1, true)
  local body = table.concat({
    "--" .. boundary, "Content-Type: application/json", "", scan,
    "--" .. boundary, "Content-Type: message/rfc822", "", raw,
    "--" .. boundary .. "--", "",
  }, "\r\n")
  return body, 'multipart/mixed; boundary="' .. boundary .. '"'
end

local function ask(task, path, scan, callback)
  local body, mime_type = body_of(task, scan)
  local headers = {}
  if settings.token then
    headers["Authorization"] = "Bearer " .. settings.token
  end
  local sent = rspamd_http.request({
    task = task,
    url = settings.url .. path,
    method = "POST",
    body = body,
    mime_type = mime_type,
    headers = headers,
    timeout = settings.timeout,
    keepalive = true,
    callback = function(err, code, answer)
      if err then
        rspamd_logger.infox(task, "neurald did not answer: %s", err)
      elseif code ~= 200 and code ~= 202 then
        rspamd_logger.warnx(task, "neurald answers %s: %s", code, answer)
      else
        callback(tostring(answer))
      end
    end,
  })
  if not sent then
    rspamd_logger.infox(task, "cannot ask neurald at %s", settings.url)
  end
end

local function insert_verdict(task, answer)
  local parser = ucl.parser()
  local ok, err = parser:parse_string(answer)
  if not ok then
    rspamd_logger.warnx(task, "neurald's answer cannot be read: %s", err)
    return
  end
  local verdict = parser:get_object()
  local symbol = verdict.verdict == "spam" and settings.symbol_spam or
      verdict.verdict == "ham" and settings.symbol_ham
  if symbol and verdict.weight and verdict.weight ~= 0 then
    task:insert_result(symbol, verdict.weight,
        string.format("%.4f", verdict.probability))
  end
  lua_util.debugm(N, task, "verdict %s, probability %s, generation %s",
      verdict.verdict, verdict.probability, verdict.generation)
end

local function score(task)
  local scan = scan_json(task)
  task:cache_set("neurald_scan", scan)
  ask(task, "/v1/score", scan, function(answer)
    insert_verdict(task, answer)
  end)
end

-- ---- teaching ----

-- The label of this scan and where it comes from; nil: none.
local function label_of(task)
  local told = task:get_request_header("Neurald-Learn")
  if told then
    told = tostring(told):lower()
    return (told == "spam" or told == "ham") and told or nil, "user"
  end
  if not settings.autolearn or task:get_user() then
    return nil
  end
  local _, total = findings(task)
  if total >= settings.spam_score then
    return "spam", "autolearn"
  elseif total <= settings.ham_score then
    return "ham", "autolearn"
  end
  return nil
end

local function learn(task)
  if task:has_flag("skip") then
    return
  end
  local label, source = label_of(task)
  if not label then
    return
  end
  local scan = task:cache_get("neurald_scan") or scan_json(task)
  ask(task, "/v1/learn?class=" .. label .. "&source=" .. source, scan,
      function(answer)
        rspamd_logger.infox(task, "neurald learns %s (%s): %s", label, source,
            answer)
      end)
end

-- ---- setting up ----

local function read_token(path)
  local file, err = io.open(path, "r")
  if not file then
    rspamd_logger.errx(rspamd_config, "cannot read neurald's token: %s", err)
    return nil
  end
  local line = file:read("*l") or ""
  file:close()
  return line:match("(%S+)%s*$") -- also of a line "ROLE TOKEN"
end

local options = rspamd_config:get_all_opt(N)
if type(options) ~= "table" then
  rspamd_logger.infox(rspamd_config, "Module is unconfigured")
  lua_util.disable_module(N, "config")
  return
end
settings = lua_util.override_defaults(settings, options)
if settings.token_file then
  settings.token = read_token(settings.token_file)
end

local id = rspamd_config:register_symbol({
  name = "NEURALD_CHECK",
  type = "postfilter,callback",
  flags = "nostat",
  priority = lua_util.symbols_priorities.medium,
  callback = score,
})
for _, symbol in ipairs({settings.symbol_spam, settings.symbol_ham}) do
  rspamd_config:register_symbol({
    name = symbol,
    type = "virtual",
    flags = "nostat",
    parent = id,
  })
  -- The weight is neurald's own: spam_weight and ham_weight of its rule.
  rspamd_config:set_metric_symbol({
    name = symbol,
    score = 1.0,
    description = "neurald's verdict; the option is the probability of spam",
    group = "neurald",
  })
end
rspamd_config:register_symbol({
  name = "NEURALD_LEARN",
  type = "idempotent,callback",
  flags = "nostat,explicit_disable,ignore_passthrough",
  callback = learn,
})
