-- SPDX-License-Identifier: Apache-2.0
--
-- The live pointer.
-- include common
-- include model_pointer

local rule, scope_key, models = unpack(KEYS)

check_version(rule)
return show_pointer(open_scope(scope_key), models)
