/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of configuration keys: a key that is not here does not exist, and
 * nothing else says what a key is called, holds, or may be. How values are
 * read and written by type stands in config_values.c.
 */
#include "cli/config_keys.h"

#include <stdint.h>

#include "cli/config.h"

#define KIB 1024.0
#define MIB (1024.0 * KIB)
#define GIB (1024.0 * MIB)
#define SECOND 1000.0
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define ANY 9007199254740992.0 /* 2^53: exact as a double */

/* offset and size of a field */
#define AT(type, field) offsetof(type, field), sizeof(((type *)NULL)->field)

#define KEY(name, type, standard, minimum, maximum, at, text)              \
    {                                                                      \
        name, ND_KEY_##type, standard, minimum, maximum, at, 0, NULL, text \
    }
#define GLOBAL(field) AT(struct nd_global, field)
#define LIMIT(field) AT(struct nd_mail_limits, field)
#define RULE(field) AT(struct nd_rule, field)

static const struct nd_key_info global_keys[] = {
    KEY("store", TEXT, "", 0, 0, GLOBAL(store),
        "Where samples and models live: sqlite:PATH, or redis://HOST "
        "(docs/redis.md). Empty: neurald/neurald.db in the user's state "
        "directory ($XDG_STATE_HOME, else ~/.local/state). The option --store "
        "goes before it."),
    KEY("store_timeout", DURATION, "5s", 100, 10 * MINUTE,
        GLOBAL(store_timeout_ms),
        "How long one operation waits for a store that others hold."),
    KEY("key_file", TEXT, "", 0, 0, GLOBAL(key_file),
        "A file with the installation's key as 64 hexadecimal digits. It "
        "replaces the key in the store, for those who want to keep it out of "
        "there. All hosts of a store need the same."),
    KEY("trusted_headers", TRUST, "", 0, 0, GLOBAL(trust),
        "Whose findings count: a list of \"HEADER HOST\", such as "
        "\"X-Spam-Status mx.example.org\" or \"Authentication-Results "
        "mx.example.org\". A scan or authentication header counts only where "
        "it names that host, and only the topmost. A sender can write all "
        "others, so they are ignored and counted."),
};

static const struct nd_key_info limit_keys[] = {
    KEY("max_message", SIZE, "4MiB", KIB, GIB, LIMIT(max_message),
        "Bytes of a message that are read; the rest is counted."),
    KEY("max_header", SIZE, "256KiB", KIB, 64 * MIB, LIMIT(max_header),
        "Bytes of a message's whole header that are read."),
    KEY("max_header_line", SIZE, "16KiB", 256, MIB, LIMIT(max_header_line),
        "Bytes of one unfolded header field that are read."),
    KEY("max_headers", COUNT, "1000", 1, 100000, LIMIT(max_headers),
        "Header fields of a message that are read."),
    KEY("max_parts", COUNT, "1000", 1, 100000, LIMIT(max_parts),
        "MIME parts of a message that are read."),
    KEY("max_depth", COUNT, "32", 1, 200, LIMIT(max_depth),
        "Nesting of MIME parts that is followed."),
    KEY("max_text", SIZE, "256KiB", KIB, 64 * MIB, LIMIT(max_text),
        "Bytes of decoded visible text that are kept."),
    KEY("max_urls", COUNT, "500", 0, 100000, LIMIT(max_urls),
        "Links of a message that are kept."),
};

#define SERVE(field) AT(struct nd_serve_settings, field)
#define MILTER(field) AT(struct nd_milter_settings, field)

static const struct nd_key_info serve_keys[] = {
    KEY("listen", TEXT, ND_SERVE_LISTEN, 0, 0, SERVE(listen),
        "Where the HTTP API is: HOST:PORT or unix:PATH, several separated by "
        "blanks. The option --listen goes before it, and sockets from systemd "
        "stand in for the default."),
    KEY("token_file", TEXT, "", 0, 0, SERVE(token_file),
        "A file of lines \"ROLE TOKEN\" (read, learn, admin), closed to "
        "others. Without it nothing can be learned or changed over HTTP."),
    KEY("user", TEXT, "", 0, 0, SERVE(user),
        "Become this user once the sockets are open."),
    KEY("roles", TEXT, "collect score train", 0, 0, SERVE(roles),
        "What this host does: collect (take samples), score, train; separated "
        "by blanks."),
    KEY("spool", TEXT, "", 0, 0, SERVE(spool),
        "A file for samples that wait while the store is away. Empty: they "
        "are refused meanwhile."),
    KEY("spool_size", SIZE, "64MiB", KIB, 1024 * GIB, SERVE(spool_size),
        "Bytes of samples that the spool takes; more are refused."),
    KEY("threads", COUNT, "0", 0, 256, SERVE(threads),
        "Threads that serve connections. 0: as many as there are processors, "
        "at least 4."),
    KEY("connections", COUNT, "4096", 16, 1000000, SERVE(connections),
        "Connections at once, for each address; fewer where the system allows "
        "fewer open files."),
    KEY("max_body", SIZE, "64MiB", KIB, GIB, SERVE(max_body),
        "Bytes of a request's body; more is answered with 413. Of a message "
        "max_message bytes are kept, the rest is counted."),
    KEY("request_time", DURATION, "30s", SECOND, HOUR, SERVE(request_time_ms),
        "A request has to be there in full after this long, and its answer "
        "taken."),
    KEY("idle_time", DURATION, "60s", SECOND, HOUR, SERVE(idle_time_ms),
        "A connection without a request is closed after this long."),
    KEY("rate_limit", NUMBER, "0", 0, 1e9, SERVE(rate_limit),
        "Requests a second of one client's address; more are answered with "
        "429. 0: no limit."),
    {"log", ND_KEY_CHOICE, "stderr", 0, 0, SERVE(log), 0,
     "stderr journal syslog",
     "Where the log goes. Nothing waits for it: lines that nobody takes are "
     "lost, and a later one says how many."},
    {"log_level", ND_KEY_CHOICE, "info", 0, 0, SERVE(log_level), 0,
     "error warning info debug", "The least weighty lines that are logged."},
    KEY("log_scores", SWITCH, "false", 0, 0, SERVE(log_scores),
        "Log a line for each verdict, at level info."),
};

static const struct nd_key_info milter_keys[] = {
    KEY("address", TEXT, "", 0, 0, MILTER(address),
        "Where mail servers find the milter: inet:PORT@HOST, inet6:PORT@HOST "
        "or unix:PATH. Empty: there is none. The option --milter goes before "
        "it."),
    KEY("socket_mode", TEXT, "0660", 0, 0, MILTER(socket_mode),
        "Mode of the file that unix:PATH makes, octal."),
    KEY("header", TEXT, "X-Neurald", 0, 0, MILTER(header),
        "Name of the header with the verdict. Those that come from outside "
        "are removed."),
    KEY("deadline", DURATION, "5s", 100, MINUTE, MILTER(deadline_ms),
        "A verdict is waited for so long; then the message passes with no "
        "opinion. Shorter than the mail server's own patience."),
    KEY("max_memory", SIZE, "256MiB", MIB, 1024 * GIB, MILTER(max_memory),
        "Bytes that all messages under way may take together; those beyond "
        "pass with no opinion."),
    {"tag", ND_KEY_OPTIONAL, "", 0, 1, MILTER(tag),
     offsetof(struct nd_milter_settings, has_tag), NULL,
     "Tag spam of this probability and above. Empty: none."},
    KEY("tag_subject", TEXT, "", 0, 0, MILTER(tag_subject),
        "What goes in front of the subject of tagged messages, such as "
        "\"[SPAM] \"."),
    KEY("tag_header", TEXT, "X-Neurald-Spam: yes", 0, 0, MILTER(tag_header),
        "The header that tagged messages get, as \"NAME: VALUE\". While tag is "
        "set, those that come from outside are removed."),
    {"quarantine", ND_KEY_OPTIONAL, "", 0, 1, MILTER(quarantine),
     offsetof(struct nd_milter_settings, has_quarantine), NULL,
     "Have the mail server hold spam of this probability and above (Postfix: "
     "its hold queue). Empty: none."},
};

static const struct nd_key_info rule_keys[] = {
    KEY("settings", NAME, "default", 0, 0, RULE(settings),
        "The name of the group of messages that the rule is for; groups share "
        "neither samples nor models."),
    {"kind", ND_KEY_CHOICE, "mail", 0, 0, RULE(kind), 0, "mail rspamd",
     "Whose network: mail, our own; rspamd, the one that rspamd's neural "
     "module keeps in its Redis (docs/rspamd.md). Of a rule of the second kind "
     "count settings, reservoir, train_after, train_interval, min_train, "
     "train_time, train_memory, train_nice, train_share, watch_interval, "
     "lease, seed, "
     "keep_models, ann_expire and the keys that begin with rspamd_."},
    {"mode", ND_KEY_CHOICE, "active", 0, 0, RULE(mode), 0, "active observe",
     "observe: verdicts are given with weight 0."},

    {"learn_mode", ND_KEY_CHOICE, "reservoir", 0, 0, RULE(learn_mode), 0,
     "reservoir balanced",
     "reservoir: a bounded random sample of each class, in which newer mail "
     "replaces older. balanced: at most 1.1 times max_trains of a class, and "
     "neither class runs ahead of the other; samples are used up by the "
     "training."},
    KEY("reservoir", COUNT, "20000", 20, 10000000, RULE(reservoir),
        "Samples kept of each class (learn_mode reservoir)."),
    KEY("max_trains", COUNT, "1000", 20, 10000000, RULE(max_trains),
        "Samples of each class that a training waits for (learn_mode "
        "balanced)."),
    KEY("train_prob", NUMBER, "1", 0, 1, RULE(train_prob),
        "Share of samples that are stored at all; the others are skipped at "
        "random and counted."),
    KEY("autolearn", SWITCH, "false", 0, 0, RULE(autolearn),
        "Learn from what the filter in front decided, without our own part of "
        "its score, and not from mail that authenticated users send."),
    {"spam_score", ND_KEY_OPTIONAL, "", -ANY, ANY, RULE(spam_score),
     offsetof(struct nd_rule, has_spam_score), NULL,
     "Autolearn as spam at or above this score. Empty: by the filter's "
     "verdict."},
    {"ham_score", ND_KEY_OPTIONAL, "", -ANY, ANY, RULE(ham_score),
     offsetof(struct nd_rule, has_ham_score), NULL,
     "Autolearn as ham at or below this score. Empty: by the filter's "
     "verdict."},
    KEY("max_symbols", COUNT, "65536", 1, 1048576, RULE(max_symbols),
        "Names of symbols and metatokens that the rule may learn; those "
        "beyond are left out and counted."),
    KEY("families", FAMILIES, "symbols,metatokens,text", 0, 0, RULE(families),
        "What the network sees: symbols, metatokens, text, or single families "
        "of text (words, pairs, grams, structure, urls, headers, "
        "header_grams)."),

    KEY("train_after", COUNT, "0", 0, ANY, RULE(train_after),
        "Train when so many samples are new or relabelled since the last "
        "attempt. 0: a tenth of the samples present, at least 50."),
    KEY("train_interval", DURATION, "10m", 0, 365 * DAY,
        RULE(train_interval_ms),
        "Shortest time between two trainings; it doubles up to 6 hours after "
        "each that failed or was refused."),
    KEY("min_train", COUNT, "20", 2, 1000000, RULE(min_train),
        "Samples of each class that a training needs at least."),
    KEY("watch_interval", DURATION, "60s", SECOND, DAY, RULE(watch_interval_ms),
        "How often a running host looks for a newer model or a training that "
        "is due."),
    KEY("lease", DURATION, "60s", 5 * SECOND, HOUR, RULE(lease_ms),
        "How long the right to train lasts without progress before another "
        "host may take it."),

    KEY("learning_rate", NUMBER, "0", 0, 1, RULE(learning_rate),
        "Step of the optimizer. 0: what the network's own defaults say."),
    KEY("max_iterations", COUNT, "0", 0, 10000, RULE(max_iterations),
        "Epochs of a training. 0: what the network's own defaults say."),
    KEY("hidden_units", COUNT, "0", 0, 4096, RULE(hidden_units),
        "Width of the hidden layer. 0: what the network's own defaults say."),
    KEY("seeds", COUNT, "2", 1, 16, RULE(seeds),
        "Candidates that a training starts from different weights; the best "
        "one counts."),
    KEY("seed", COUNT, "0", 0, ANY, RULE(seed),
        "Makes trainings repeatable. 0: a random one, which is reported."),

    KEY("train_time", DURATION, "30m", SECOND, 7 * DAY, RULE(train_time_ms),
        "The trainer is stopped after this long."),
    KEY("train_memory", SIZE, "2GiB", 64 * MIB, 1024 * GIB,
        RULE(train_memory_bytes), "Address space that the trainer may take."),
    KEY("train_nice", COUNT, "10", 0, 19, RULE(train_nice),
        "The trainer gives way to other processes: its nice value."),
    KEY("train_share", NUMBER, "0.1", 0, 1, RULE(train_share),
        "The daemon's trainer takes only processor time that nobody else wants "
        "(SCHED_IDLE), as long as that is this share of a processor; else it "
        "competes with its nice value for 10 s. 0: it never competes. 1: it "
        "always does, as where the right to raise priorities is missing "
        "(LimitNICE of the systemd unit, RLIMIT_NICE)."),

    KEY("max_profiles", COUNT, "3", 1, 1000, RULE(max_profiles),
        "Sets of symbols that are remembered for each settings name."),
    KEY("keep_models", COUNT, "5", 1, 1000, RULE(keep_models),
        "Generations that are kept for a rollback."),
    KEY("ann_expire", DURATION, "100d", HOUR, 3650 * DAY, RULE(ann_expire_ms),
        "Models that are not in use are dropped after this long."),
    KEY("target_fpr", NUMBER, "0.001", 0, 0.5, RULE(target_fpr),
        "Share of ham that may be called spam; sets the threshold for spam."),
    KEY("target_fnr", NUMBER, "0.001", 0, 0.5, RULE(target_fnr),
        "Share of spam that may be called ham; sets the threshold for ham."),
    KEY("symbol_spam", TEXT, "NEURALD_SPAM", 0, 0, RULE(symbol_spam),
        "The symbol of a spam verdict."),
    KEY("symbol_ham", TEXT, "NEURALD_HAM", 0, 0, RULE(symbol_ham),
        "The symbol of a ham verdict."),
    KEY("spam_weight", NUMBER, "3", 0, 1000, RULE(spam_weight),
        "Weight of the surest spam verdict."),
    KEY("ham_weight", NUMBER, "-1", -1000, 0, RULE(ham_weight),
        "Weight of the surest ham verdict; small, so that ham alone never "
        "cancels a spam score."),

    KEY("rspamd_redis", TEXT, "", 0, 0, RULE(rspamd_redis),
        "kind rspamd: the Redis that rspamd's neural module uses, as "
        "redis://HOST and the like (docs/redis.md)."),
    KEY("rspamd_prefix", NAME, "rn", 0, 0, RULE(rspamd_prefix),
        "kind rspamd: prefix of the module's keys."),
    KEY("rspamd_rule", NAME, "default", 0, 0, RULE(rspamd_rule),
        "kind rspamd: which rule of the module; its own prefix, where it has "
        "one."),
    KEY("rspamd_settings", NAME, "default", 0, 0, RULE(rspamd_settings),
        "kind rspamd: which settings name of the module."),
    KEY("rspamd_watch_interval", DURATION, "60s", SECOND, DAY,
        RULE(rspamd_watch_interval_ms),
        "kind rspamd: the module's watch_interval. A lock of twice that age, "
        "and of 10 s at least, is stale."),
};

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct nd_section_info sections[ND_SECTION_COUNT_OF_THEM] = {
    {"", "Keys outside of any section.", global_keys, LENGTH(global_keys)},
    {"limits",
     "What is read of a message. The limits hold before the parser sees it, so "
     "a message made to cost memory or time does not. A changed limit changes "
     "features: learn again afterwards.",
     limit_keys, LENGTH(limit_keys)},
    {"serve", "The daemon, neurald serve (docs/api.md).", serve_keys,
     LENGTH(serve_keys)},
    {"milter",
     "The milter of the daemon, for Postfix and Sendmail "
     "(docs/milter.md).",
     milter_keys, LENGTH(milter_keys)},
    {"rule",
     "rule NAME { ... }: a network with its own settings. There may be "
     "several, and learn and train serve them all; score and explain take the "
     "first unless --rule names another. Without any (of kind mail), one "
     "called default has all the defaults.",
     rule_keys, LENGTH(rule_keys)},
};

const struct nd_section_info *nd_config_section(enum nd_section_id id)
{
    return &sections[id];
}
