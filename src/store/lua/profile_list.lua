-- SPDX-License-Identifier: Apache-2.0
--
-- All profiles of a rule, newest use first.
-- include common
-- include profiles

local rule, profiles = unpack(KEYS)

check_version(rule)
return show_profiles(list_profiles(profiles))
