--[[
SPDX-License-Identifier: Apache-2.0

neurald's rspamd plugin: asks `neurald serve` about each scan and inserts
NEURALD_SPAM or NEURALD_HAM; sends it what rspamd is sure of (autolearn) and what
users say (rspamc learn_spam and learn_ham, the request header Neurald-Learn).
docs/rspamd.md says how to set it up; local.d/neurald.conf has its settings.

Nothing here stops mail: whatever goes wrong ends in no symbol, within the
timeout, and in one warning.
]]--

if confighelp then
  return
end

local bit = require "bit"
local ffi = require "ffi"
local lua_settings = require "lua_settings"
local lua_util = require "lua_util"
local rspamd_http = require "rspamd_http"
local rspamd_logger = require "rspamd_logger"
local rspamd_util = require "rspamd_util"
local ucl = require "ucl"

local N = "neurald"
local PREFIX = 1048576      -- bytes that hold a header and what is read of a body
local MOST_SYMBOLS = 2000   -- neurald reads no more of one scan
local MOST_ANSWER = 1048576 -- bytes
local FAILURES = 3          -- in a row, then neurald is left in peace
local JSON_ONLY = 4 + 32 + 64 -- libucl: no times, macros, file variables

local settings = {
  url = "http://127.0.0.1:11380",
  timeout = 0.5,
  learn_timeout = 10.0,
  rest = 10.0,
  send_message = false,
  max_size = 4194304,
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

-- The first bytes of a message are enough for its identity, unless its header
-- is longer.
local function identity(content)
  local raw = tostring(content:sub(1, PREFIX))
  local header, body = part_message(raw)
  if #body < 65536 and #content > PREFIX then
    header, body = part_message(tostring(content))
  end
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

-- ---- what rspamd found ----

local function is_ours(name)
  return name == settings.symbol_spam or name == settings.symbol_ham
end

local function is_finite(number)
  return type(number) == "number" and number == number and
      math.abs(number) < math.huge
end

-- JSON has only UTF-8: the bytes of what is none become one character each, so
-- that a name stays one and the same.
local function in_utf8(text)
  if rspamd_util.is_valid_utf8(text) then
    return text
  end
  return (text:gsub("[\128-\255]", function(c)
    local byte = c:byte()
    return string.char(0xc0 + math.floor(byte / 64), 0x80 + byte % 64)
  end))
end

-- What rspamd found, without what we said, and the score without it.
local function findings(task)
  local symbols, count = {}, 0
  local metric = task:get_metric_score("default") or {0, 0}
  local score = metric[1]
  for _, symbol in ipairs(task:get_symbols_all()) do
    local weight = is_finite(symbol.score) and symbol.score or 0
    if is_ours(symbol.name) then
      score = score - weight
    elseif count < MOST_SYMBOLS then
      symbols[in_utf8(symbol.name)] = weight
      count = count + 1
    end
  end
  return symbols, is_finite(score) and score or 0, count
end

-- The name of the settings by which rspamd scans the message; nil: its own.
local function settings_name(task)
  local id = task:get_settings_id()
  local set = id and lua_settings.settings_by_id(id)
  return set and in_utf8(set.name)
end

local function scan_json(task)
  local symbols, score, count = findings(task)
  return ucl.to_format({
    symbols = count > 0 and symbols or nil,
    score = score,
    id = in_utf8((task:get_message_id() or ""):sub(1, 200)),
    identity = identity(task:get_content()),
    settings = settings_name(task),
  }, "json-compact", true)
end

-- ---- asking ----

-- What this worker knows of neurald. A failure is told once, until it answers
-- again; after a few it is left in peace for a while, so that a daemon that
-- hangs does not cost each message the timeout.
local link = {failures = 0, rests_until = 0, told = false, said = {}}

local function link_failed(why)
  link.failures = link.failures + 1
  if link.failures >= FAILURES then
    link.rests_until = rspamd_util.get_time() + settings.rest
  end
  if not link.told then
    link.told = true
    rspamd_logger.warnx(rspamd_config, "neurald gives no verdicts: %s; said " ..
        "once, until it answers again", why)
  end
end

local function link_works()
  if link.told then
    rspamd_logger.infox(rspamd_config, "neurald answers again")
  end
  link.failures, link.told = 0, false
end

-- What neurald refuses, and what it does not learn of rspamd's own accord, is
-- said once in ten minutes for each kind.
local function say_seldom(kind, what)
  local now = rspamd_util.get_time()
  if (link.said[kind] or 0) <= now then
    link.said[kind] = now + 600
    rspamd_logger.warnx(rspamd_config, "neurald %s; said once in ten minutes",
        what)
  end
end

local function short(answer)
  return (tostring(answer or ""):sub(1, 200):gsub("[%c\127-\255]", "?"))
end

-- The scan, the message, or both; what neurald does not read is not sent.
local function body_of(scan, content)
  if not content then
    return scan, "application/json"
  elseif not scan then
    return content, "message/rfc822"
  end
  local boundary = rspamd_util.random_hex(32)
  local body = {
    "--" .. boundary .. "\r\nContent-Type: application/json\r\n\r\n" .. scan ..
        "\r\n--" .. boundary .. "\r\nContent-Type: message/rfc822\r\n\r\n",
    content:sub(1, math.min(#content, settings.max_size)),
    "\r\n--" .. boundary .. "--\r\n",
  }
  return body, 'multipart/mixed; boundary="' .. boundary .. '"'
end

-- An answer is JSON, and none of rspamd's configuration language with its macros
-- and variables; nil where it is no object.
local function parse(answer)
  local parser = ucl.parser(JSON_ONLY)
  if answer:sub(1, 1) ~= "{" or not parser:parse_string(answer) then
    return nil
  end
  local object = parser:get_object()
  return type(object) == "table" and object or nil
end

-- Sends a request, which has its body already. on_answer gets the answer as a
-- table, and says whether it is what was asked for; on_failure gets why there is
-- none, and the code of a refusal.
local function ask(path, request, on_answer, on_failure)
  request.url = settings.url .. path
  request.method = "POST"
  request.max_size = MOST_ANSWER
  request.keepalive = true
  if settings.token then
    request.headers = {Authorization = "Bearer " .. settings.token}
  end
  request.callback = function(err, code, answer)
    if err then
      on_failure(short(err))
      return
    end
    local object = code < 300 and parse(tostring(answer))
    if not object or not on_answer(object) then
      on_failure(string.format("it answers %s: %s", code, short(answer)),
          code >= 400 and code < 500 and code)
    end
  end
  if not rspamd_http.request(request) then
    on_failure("no request can be made to " .. settings.url)
  end
end

-- False where the answer is no verdict.
local function insert_verdict(task, verdict)
  if type(verdict.verdict) ~= "string" or not is_finite(verdict.weight) or
      not is_finite(verdict.probability) then
    return false
  end
  local symbol = verdict.verdict == "spam" and settings.symbol_spam or
      verdict.verdict == "ham" and settings.symbol_ham
  if symbol and verdict.weight ~= 0 then
    task:insert_result(symbol, verdict.weight,
        string.format("%.4f", verdict.probability))
  end
  lua_util.debugm(N, task, "verdict %s, probability %s, generation %s",
      verdict.verdict, verdict.probability, verdict.generation)
  return true
end

local function score(task)
  local scan = scan_json(task)
  task:cache_set("neurald_scan", scan)
  if rspamd_util.get_time() < link.rests_until then
    return
  end
  local request = {task = task, timeout = settings.timeout}
  request.body, request.mime_type =
      body_of(scan, settings.send_message and task:get_content())
  ask("/v1/score", request, function(answer)
    local is_verdict = insert_verdict(task, answer)
    if is_verdict then
      link_works()
    end
    return is_verdict
  end, function(why, refusal)
    lua_util.debugm(N, task, "no verdict: %s", why)
    if refusal then
      say_seldom(refusal, "gives no verdict: " .. why)
    else
      link_failed(why)
    end
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

-- Tells neurald without keeping the scan waiting, so there is no task when the
-- answer comes. A label of a user that did not arrive is said each time.
local function teach(task, label, source, scan, content)
  local request = {
    config = rspamd_config,
    ev_base = task:get_ev_base(),
    resolver = task:get_resolver(),
    timeout = settings.learn_timeout,
  }
  local id = short(task:get_message_id())
  request.body, request.mime_type = body_of(scan, content)
  ask("/v1/learn?class=" .. label .. "&source=" .. source, request,
      function(answer)
        if type(answer.outcome) ~= "string" then
          return false
        end
        rspamd_logger.infox(rspamd_config, "neurald learns <%s> as %s (%s): " ..
            "%s %s", id, label, source, short(answer.outcome),
            short(answer.reason))
        return true
      end, function(why)
        if source == "user" then
          rspamd_logger.warnx(rspamd_config, "neurald does not learn <%s> " ..
              "as %s, which a user said: %s", id, label, why)
        else
          say_seldom("learn", "does not learn what rspamd is sure of: " .. why)
        end
      end)
end

local function learn(task)
  if task:has_flag("skip") then
    return
  end
  local label, source = label_of(task)
  if not label then
    return
  end
  if source ~= "user" and rspamd_util.get_time() < link.rests_until then
    return
  end
  teach(task, label, source, task:cache_get("neurald_scan") or scan_json(task),
      settings.send_message and task:get_content())
end

-- rspamd's own learning, of rspamc and the web interface, runs no plugin: its
-- controller calls the learn condition of the classifier, and that calls this
-- (local.d/classifier-bayes.conf). Nothing was scanned, so the message itself is
-- sent. A scanner that teaches itself is no user.
local function learned(task)
  local worker = task:get_worker()
  if not worker or worker:get_name() ~= "controller" then
    return
  end
  local label = task:has_flag("learn_spam") and "spam" or
      task:has_flag("learn_ham") and "ham"
  if label and not task:cache_get("neurald_learned") then
    task:cache_set("neurald_learned", true) -- one call for each classifier
    teach(task, label, "user", nil, task:get_content())
  end
end

-- ---- setting up ----

local function read_token(path)
  local file, err = io.open(path, "r")
  if not file then
    rspamd_logger.warnx(rspamd_config, "cannot read neurald's token: %s", err)
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
local defaults = settings
settings = lua_util.override_defaults(settings, options)
for name, default in pairs(defaults) do
  if type(settings[name]) ~= type(default) then
    rspamd_logger.warnx(rspamd_config, "neurald: %s must be a %s, such as %s",
        name, type(default), default)
    settings[name] = default
  end
end
settings.url = settings.url:gsub("/+$", "")
if settings.token_file then
  settings.token = read_token(settings.token_file)
end

rspamd_plugins[N] = {
  learned = function(task)
    local ok, err = pcall(learned, task)
    if not ok then
      rspamd_logger.warnx(task, "neurald did not learn: %s", err)
    end
  end,
}

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
