-- SPDX-License-Identifier: Apache-2.0
--
-- rspamd's own training, as its neural module does it, on lines of
-- "LABEL NUMBER NUMBER ...":
--
--     rspamadm lua -a VECTORS -a OUT tests/bench/rspamd_train.lua
--
-- Network and options are those of lualib/plugins/neural.lua of rspamd 3.4 with
-- its defaults. Writes the KANN file to OUT and prints the seconds of training.

local rspamd_kann = require "rspamd_kann"
local rspamd_util = require "rspamd_util"

local inputs, outputs = {}, {}
for line in io.lines(arg[1]) do
  local row = {}
  for number in line:gmatch("%S+") do
    row[#row + 1] = tonumber(number)
  end
  outputs[#outputs + 1] = {table.remove(row, 1) > 0 and 1.0 or -1.0}
  inputs[#inputs + 1] = row
end

local count = #inputs[1]
local layer = rspamd_kann.layer.input(count)
layer = rspamd_kann.transform.relu(layer)
layer = rspamd_kann.layer.dense(layer, math.floor(count * 1.5 + 1.0))
layer = rspamd_kann.layer.cost(layer, 1, rspamd_kann.cost.ceb_neg)
local network = rspamd_kann.new.kann(layer)

local start = rspamd_util.get_ticks()
network:train1(inputs, outputs, {lr = 0.01, max_epoch = 25})
local seconds = rspamd_util.get_ticks() - start

local out = assert(io.open(arg[2], "wb"))
out:write(tostring(network:save()))
out:close()
print(string.format("%.4f", seconds))
