/* SPDX-License-Identifier: Apache-2.0
 *
 * The scripts of remote_scripts.h. To publish is one step, so it needs to see
 * that nobody else holds rspamd's lock, and not to hold it. A publication that
 * is repeated after a lost answer finds its own network and changes nothing.
 */
#include "rspamd/remote_scripts.h"

const char nd_rspamd_mark_script[] =
    "if redis.call('HEXISTS', KEYS[1], 'ann') == 0 then return 0 end\n"
    "redis.call('HSETNX', KEYS[1], 'neurald', ARGV[1])\n"
    "local left = redis.call('TTL', KEYS[1])\n"
    "if left >= 0 and left < tonumber(ARGV[2]) then\n"
    "  redis.call('EXPIRE', KEYS[1], ARGV[2])\n"
    "end\n"
    "return 1\n";

const char nd_rspamd_publish_script[] =
    "local made = redis.call('HGET', KEYS[2], 'ann')\n"
    "if made == ARGV[4] then return 'published' end\n"
    "local time = redis.call('TIME')\n"
    "local locked = redis.call('HGET', KEYS[3], 'lock')\n"
    "local since = locked and tonumber(locked)\n"
    "if since and math.abs(time[1] - since) < tonumber(ARGV[1]) then\n"
    "  return {locked, redis.call('HGET', KEYS[3], 'hostname') or 'unknown'}\n"
    "end\n"
    "if made or not redis.call('ZSCORE', KEYS[1], ARGV[2]) then\n"
    "  return 'superseded'\n"
    "end\n"
    "local now = time[1] .. string.format('.%06d', time[2])\n"
    "redis.call('HSET', KEYS[2], 'ann', ARGV[4], 'roc_thresholds', ARGV[5],\n"
    "  'neurald', ARGV[6])\n"
    "redis.call('EXPIRE', KEYS[2], ARGV[7])\n"
    "redis.call('ZADD', KEYS[1], now, ARGV[3])\n"
    "redis.call('HDEL', KEYS[3], 'lock', 'hostname')\n"
    "if redis.call('EXISTS', KEYS[3]) == 1 then\n"
    "  redis.call('HSET', KEYS[3], 'obsolete', '1')\n"
    "end\n"
    "redis.call('EXPIRE', KEYS[4], 600)\n"
    "redis.call('EXPIRE', KEYS[5], 600)\n"
    "return 'published'\n";
