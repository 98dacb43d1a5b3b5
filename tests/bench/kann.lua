-- SPDX-License-Identifier: Apache-2.0
--
-- The peer of `neurald bench`: trains a network of one hidden layer in
-- rspamd's KANN on svmlight vectors, and scores vectors with it.
--
--     rspamadm lua -a FILE [-a TEST] tests/bench/kann.lua
--
-- KANN_HIDDEN (331), KANN_EPOCHS (25), KANN_RATE (0.01) and KANN_INPUTS (the
-- largest column) in the environment change the network. Unlike the one that
-- rspamd's neural module builds, it has its non-linearity behind the hidden
-- layer, where it does something; it takes as long. All samples train, none
-- are held back, and no early stop. Prints one line of JSON.

local rspamd_kann = require "rspamd_kann"
local rspamd_util = require "rspamd_util"

local function setting(name, standard)
  return tonumber(os.getenv(name) or standard)
end

-- Dense rows, as KANN wants them, and labels of 1 and -1.
local function read_vectors(path, inputs)
  local rows, labels = {}, {}
  for line in io.lines(path) do
    local label = line:match("^%S+")
    local row = {}
    for column, value in line:gmatch("(%d+):(%S+)") do
      row[tonumber(column)] = tonumber(value)
      inputs = math.max(inputs, tonumber(column))
    end
    rows[#rows + 1] = row
    labels[#labels + 1] = tonumber(label) > 0 and 1 or -1
  end
  return rows, labels, inputs
end

local function fill(rows, inputs)
  for _, row in ipairs(rows) do
    for column = 1, inputs do
      row[column] = row[column] or 0
    end
  end
end

local function make_network(inputs, hidden)
  local layer = rspamd_kann.layer.input(inputs)
  layer = rspamd_kann.layer.dense(layer, hidden)
  layer = rspamd_kann.transform.relu(layer)
  layer = rspamd_kann.layer.cost(layer, 1, rspamd_kann.cost.ceb_neg)
  return rspamd_kann.new.kann(layer)
end

local function train(network, rows, labels)
  local outputs, last = {}, 0
  for i, label in ipairs(labels) do
    outputs[i] = {label}
  end
  local start = rspamd_util.get_ticks()
  network:train1(rows, outputs, {
    lr = setting("KANN_RATE", 0.01),
    max_epoch = setting("KANN_EPOCHS", 25),
    max_drop_streak = 1000000,
    frac_val = 0,
    cb = function(_, cost)
      last = cost
    end
  })
  return rspamd_util.get_ticks() - start, last
end

-- The scores, and the microseconds that one call took. The clock is coarse, so
-- the rows are gone through until half a second is over.
local function score(network, rows)
  local scores, passes, seconds = {}, 0, 0
  local start = rspamd_util.get_ticks()
  repeat
    for i, row in ipairs(rows) do
      scores[i] = network:apply1(row)[1]
    end
    passes = passes + 1
    seconds = rspamd_util.get_ticks() - start
  until seconds > 0.5
  return scores, seconds / passes / #rows * 1e6
end

-- Mann and Whitney's statistic, ties counted half.
local function area(scores, labels)
  local order = {}
  for i = 1, #scores do
    order[i] = i
  end
  table.sort(order, function(a, b) return scores[a] < scores[b] end)
  local won, ham, spam, i = 0, 0, 0, 1
  while i <= #order do
    local here = {[1] = 0, [-1] = 0}
    local value = scores[order[i]]
    while i <= #order and scores[order[i]] == value do
      local label = labels[order[i]]
      here[label] = here[label] + 1
      i = i + 1
    end
    won = won + here[1] * (ham + here[-1] / 2)
    ham, spam = ham + here[-1], spam + here[1]
  end
  return won / ham / spam
end

local paths = arg
local rows, labels, inputs = read_vectors(paths[1], setting("KANN_INPUTS", 1))
local test, test_labels = rows, labels
if paths[2] then
  test, test_labels, inputs = read_vectors(paths[2], inputs)
end
fill(rows, inputs)
fill(test, inputs)
local network = make_network(inputs, setting("KANN_HIDDEN", 331))
local seconds, loss = train(network, rows, labels)
local scores, microseconds = score(network, test)
print(string.format(
    '{"seconds": %.4f, "loss": %.5f, "auc": %.5f, "score_microseconds": %.3f}',
    seconds, loss, area(scores, test_labels), microseconds))
