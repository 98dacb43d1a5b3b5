/* SPDX-License-Identifier: Apache-2.0
 *
 * Every SQL statement that the SQLite backend prepares, by name: X(NAME, SQL).
 * docs/protocol.md names them beside the functions that run them.
 */
#ifndef ND_STORE_SQLITE_STATEMENTS_H
#define ND_STORE_SQLITE_STATEMENTS_H

#define ND_SQL_MAP(X)                                                          \
    X(BEGIN_READ, "BEGIN")                                                     \
    X(BEGIN_WRITE, "BEGIN IMMEDIATE")                                          \
    X(COMMIT, "COMMIT")                                                        \
    X(USER_VERSION, "PRAGMA user_version")                                     \
    /* the installation */                                                     \
    X(KEY_GET, "SELECT value FROM setting WHERE name = 'key'")                 \
    X(KEY_SET, "INSERT INTO setting(name, value) VALUES('key', ?1)")           \
    /* scopes */                                                               \
    X(SCOPE_LOAD,                                                              \
      "SELECT id, sequence, attempted, attempt_ms, failures, token,"           \
      " lease_token, lease_nonce, lease_holder, lease_since_ms,"               \
      " lease_until_ms, lease_length_ms, lease_progress, live, revision,"      \
      " pinned, key_id FROM scope WHERE rule = ?1 AND settings = ?2")          \
    X(SCOPE_MAKE, "INSERT INTO scope(rule, settings) VALUES(?1, ?2)")          \
    X(SCOPE_SAVE,                                                              \
      "UPDATE scope SET sequence = ?2, attempted = ?3, attempt_ms = ?4,"       \
      " failures = ?5, token = ?6, lease_token = ?7, lease_nonce = ?8,"        \
      " lease_holder = ?9, lease_since_ms = ?10, lease_until_ms = ?11,"        \
      " lease_length_ms = ?12, lease_progress = ?13, live = ?14,"              \
      " revision = ?15, pinned = ?16, key_id = ?17 WHERE id = ?1")             \
    X(SCOPE_LIST,                                                              \
      "SELECT rule, settings FROM scope WHERE"                                 \
      " EXISTS(SELECT 1 FROM sample WHERE sample.scope = scope.id)"            \
      " OR EXISTS(SELECT 1 FROM model WHERE model.scope = scope.id)"           \
      " ORDER BY rule, settings")                                              \
    X(SCOPE_REVISIONS, "SELECT sum(revision) FROM scope")                      \
    X(TALLY_LOAD, "SELECT kind, value FROM tally WHERE scope = ?1")            \
    X(TALLY_ADD, "INSERT INTO tally(scope, kind, value) VALUES(?1, ?2, ?3)"    \
                 " ON CONFLICT(scope, kind) DO UPDATE SET value = value + ?3") \
    /* samples */                                                              \
    X(SAMPLE_FIND,                                                             \
      "SELECT sequence, version, label, source, time_ms, label_ms, bytes"      \
      " FROM sample WHERE scope = ?1 AND identity = ?2")                       \
    X(SAMPLE_INSERT,                                                           \
      "INSERT INTO sample(scope, identity, sequence, version, label, source,"  \
      " time_ms, label_ms, bytes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)") \
    X(SAMPLE_UPDATE,                                                           \
      "UPDATE sample SET version = ?3, label = ?4, source = ?5,"               \
      " label_ms = ?6, bytes = ?7 WHERE scope = ?1 AND identity = ?2")         \
    X(SAMPLE_DELETE, "DELETE FROM sample WHERE scope = ?1 AND identity = ?2")  \
    X(SAMPLE_LIST,                                                             \
      "SELECT sequence, version, label, source, time_ms, label_ms, identity"   \
      " FROM sample WHERE scope = ?1 ORDER BY time_ms, sequence")              \
    X(SAMPLE_MATCH, "SELECT identity FROM sample WHERE scope = ?1"             \
                    " AND (?2 < 0 OR label = ?2) AND (?3 < 0 OR source = ?3)"  \
                    " AND label_ms >= ?4 AND label_ms < ?5"                    \
                    " ORDER BY sequence LIMIT ?6")                             \
    X(SAMPLE_COUNT_MATCH,                                                      \
      "SELECT count(*) FROM sample WHERE scope = ?1"                           \
      " AND (?2 < 0 OR label = ?2) AND (?3 < 0 OR source = ?3)"                \
      " AND label_ms >= ?4 AND label_ms < ?5")                                 \
    X(CLASS_BOUNDS,                                                            \
      "SELECT (SELECT min(sequence) FROM sample WHERE scope = ?1"              \
      " AND label = ?2), (SELECT max(sequence) FROM sample WHERE scope = ?1"   \
      " AND label = ?2)")                                                      \
    X(CLASS_AT, "SELECT identity FROM sample WHERE scope = ?1 AND label = ?2"  \
                " AND sequence = ?3")                                          \
    X(CLASS_NTH, "SELECT identity FROM sample WHERE scope = ?1 AND label = ?2" \
                 " ORDER BY sequence LIMIT 1 OFFSET ?3")                       \
    X(PAYLOAD_INSERT, "INSERT INTO payload(id, data) VALUES(?1, ?2)")          \
    X(PAYLOAD_UPDATE, "UPDATE payload SET data = ?2 WHERE id = ?1")            \
    X(PAYLOAD_GET, "SELECT data FROM payload WHERE id = ?1")                   \
    X(PAYLOAD_DELETE, "DELETE FROM payload WHERE id = ?1")                     \
    /* tombstones */                                                           \
    X(FATE_FIND,                                                               \
      "SELECT fate, version, label, source, label_ms, ended_ms, generation"    \
      " FROM fate WHERE scope = ?1 AND identity = ?2")                         \
    X(FATE_PUT,                                                                \
      "INSERT OR REPLACE INTO fate(scope, identity, fate, version, label,"     \
      " source, label_ms, ended_ms, generation)"                               \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                           \
    X(FATE_DELETE, "DELETE FROM fate WHERE scope = ?1 AND identity = ?2")      \
    X(FATE_COUNT_FORGOTTEN,                                                    \
      "SELECT count(*) FROM fate WHERE scope = ?1"                             \
      " AND (?2 < 0 OR label = ?2) AND (?3 < 0 OR source = ?3)"                \
      " AND label_ms = ?4 AND fate = ?5")                                      \
    X(FATE_COUNT_OLD, "SELECT count(*) FROM fate WHERE ended_ms <= ?1")        \
    X(FATE_DELETE_OLD, "DELETE FROM fate WHERE ended_ms <= ?1")                \
    /* registry */                                                             \
    X(REGISTRY_END, "SELECT slot, digest FROM registry WHERE rule = ?1"        \
                    " ORDER BY slot DESC LIMIT 1")                             \
    X(REGISTRY_FIND,                                                           \
      "SELECT slot FROM registry WHERE rule = ?1 AND name = ?2")               \
    X(REGISTRY_DIGEST,                                                         \
      "SELECT digest FROM registry WHERE rule = ?1 AND slot = ?2")             \
    X(REGISTRY_ADD, "INSERT INTO registry(rule, slot, name, digest)"           \
                    " VALUES(?1, ?2, ?3, ?4)")                                 \
    X(REGISTRY_LIST,                                                           \
      "SELECT slot, name FROM registry WHERE rule = ?1 AND slot >= ?2"         \
      " ORDER BY slot")                                                        \
    /* profiles */                                                             \
    X(PROFILE_TOUCH, "UPDATE profile SET used_ms = ?4, used_order ="           \
                     " (SELECT max(used_order) + 1 FROM profile)"              \
                     " WHERE rule = ?1 AND settings = ?2 AND digest = ?3")     \
    X(PROFILE_ADD,                                                             \
      "INSERT INTO profile(rule, settings, digest, symbols, used_ms,"          \
      " used_order) VALUES(?1, ?2, ?3, ?4, ?5,"                                \
      " (SELECT coalesce(max(used_order), 0) + 1 FROM profile))")              \
    X(PROFILE_LIST,                                                            \
      "SELECT settings, digest, symbols, used_ms, generation FROM profile"     \
      " WHERE rule = ?1 ORDER BY used_order DESC")                             \
    X(PROFILE_DELETE, "DELETE FROM profile WHERE rule = ?1 AND settings = ?2"  \
                      " AND digest = ?3")                                      \
    X(PROFILE_OUTGROWN,                                                        \
      "DELETE FROM profile WHERE rule = ?1 AND settings = ?2"                  \
      " AND digest = ?3 AND generation = 0")                                   \
    X(PROFILE_TRAINED, "UPDATE profile SET generation = ?4"                    \
                       " WHERE rule = ?1 AND settings = ?2 AND digest = ?3")   \
    /* models */                                                               \
    X(BLOB_EXISTS,                                                             \
      "SELECT length(data) FROM blob WHERE scope = ?1 AND digest = ?2")        \
    X(BLOB_INSERT,                                                             \
      "INSERT INTO blob(scope, digest, uploaded_ms, data)"                     \
      " VALUES(?1, ?2, ?3, ?4)"                                                \
      " ON CONFLICT(scope, digest) DO UPDATE SET uploaded_ms = ?3")            \
    X(BLOB_FIND, "SELECT id FROM blob WHERE scope = ?1 AND digest = ?2")       \
    X(BLOB_COUNT_ORPHANS,                                                      \
      "SELECT count(*), coalesce(sum(length(data)), 0) FROM blob"              \
      " WHERE uploaded_ms <= ?1"                                               \
      " AND NOT EXISTS(SELECT 1 FROM model WHERE model.scope = blob.scope"     \
      " AND model.digest = blob.digest)")                                      \
    X(BLOB_DELETE_ALL_ORPHANS,                                                 \
      "DELETE FROM blob WHERE uploaded_ms <= ?1"                               \
      " AND NOT EXISTS(SELECT 1 FROM model WHERE model.scope = blob.scope"     \
      " AND model.digest = blob.digest)")                                      \
    X(MODEL_INSERT,                                                            \
      "INSERT INTO model(scope, generation, digest, bytes, published_ms,"      \
      " profile, origin) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")                  \
    X(MODEL_FIND, "SELECT digest, origin FROM model"                           \
                  " WHERE scope = ?1 AND generation = ?2")                     \
    X(MODEL_LIST,                                                              \
      "SELECT generation, digest, bytes, published_ms, profile, origin"        \
      " FROM model WHERE scope = ?1 ORDER BY generation DESC")                 \
    X(MODEL_DROP, "DELETE FROM model WHERE scope = ?1 AND generation <> ?2"    \
                  " AND generation NOT IN (SELECT generation FROM model"       \
                  " WHERE scope = ?1 ORDER BY generation DESC LIMIT ?3)"       \
                  " AND generation NOT IN (SELECT generation FROM host"        \
                  " WHERE scope = ?1 AND seen_ms > ?4)")                       \
    X(MODEL_EXPIRE,                                                            \
      "DELETE FROM model WHERE scope = ?1 AND generation < ?2"                 \
      " AND (SELECT next.published_ms FROM model AS next"                      \
      " WHERE next.scope = ?1 AND next.generation > model.generation"          \
      " ORDER BY next.generation LIMIT 1) <= ?3"                               \
      " AND generation NOT IN (SELECT generation FROM host"                    \
      " WHERE scope = ?1 AND seen_ms > ?4)")                                   \
    X(BLOB_DROP,                                                               \
      "DELETE FROM blob WHERE scope = ?1 AND digest <> ?2"                     \
      " AND (uploaded_ms <= ?3 OR published)"                                  \
      " AND NOT EXISTS(SELECT 1 FROM model WHERE model.scope = blob.scope"     \
      " AND model.digest = blob.digest)")                                      \
    X(BLOB_PUBLISHED,                                                          \
      "UPDATE blob SET published = 1 WHERE scope = ?1 AND digest = ?2")        \
    /* journal */                                                              \
    X(JOURNAL_ADD,                                                             \
      "INSERT INTO journal(scope, time_ms, token, ending, decision, holder,"   \
      " reason, figures, digest) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")  \
    X(JOURNAL_CUT,                                                             \
      "DELETE FROM journal WHERE scope = ?1 AND id <= (SELECT id FROM journal" \
      " WHERE scope = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)")                 \
    X(JOURNAL_ENDING,                                                          \
      "SELECT ending, digest FROM journal WHERE scope = ?1 AND token = ?2")    \
    X(JOURNAL_LIST,                                                            \
      "SELECT time_ms, token, decision, holder, reason, figures FROM journal"  \
      " WHERE scope = ?1 ORDER BY id DESC LIMIT ?2")                           \
    /* hosts */                                                                \
    X(HOST_REPORT,                                                             \
      "INSERT OR REPLACE INTO host(scope, host, generation, seen_ms)"          \
      " VALUES(?1, ?2, ?3, ?4)")                                               \
    X(HOST_LIST, "SELECT host, generation, seen_ms FROM host WHERE scope = ?1" \
                 " ORDER BY host")                                             \
    X(HOST_COUNT_OLD, "SELECT count(*) FROM host WHERE seen_ms <= ?1")         \
    X(HOST_DELETE_OLD, "DELETE FROM host WHERE seen_ms <= ?1")                 \
    /* the whole store as records */                                           \
    X(IMAGE_SCOPES, "SELECT rule, settings FROM scope"                         \
                    " UNION SELECT rule, settings FROM profile"                \
                    " ORDER BY 1, 2")                                          \
    X(IMAGE_SAMPLES,                                                           \
      "SELECT sequence, version, label, source, time_ms, label_ms, identity"   \
      " FROM sample WHERE scope = ?1 ORDER BY identity LIMIT ?2 OFFSET ?3")    \
    X(IMAGE_FATES,                                                             \
      "SELECT fate, version, label, source, label_ms, ended_ms, identity"      \
      " FROM fate WHERE scope = ?1 ORDER BY identity LIMIT ?2 OFFSET ?3")      \
    X(IMAGE_JOURNAL,                                                           \
      "SELECT time_ms, token, decision, holder, reason, figures, ending,"      \
      " coalesce(digest, zeroblob(32)) FROM journal WHERE scope = ?1"          \
      " ORDER BY id")                                                          \
    X(IMAGE_PROFILE,                                                           \
      "INSERT OR IGNORE INTO profile(rule, settings, digest, symbols,"         \
      " used_ms, generation, used_order) VALUES(?1, ?2, ?3, ?4, ?5, ?6,"       \
      " (SELECT coalesce(max(used_order), 0) + 1 FROM profile))")              \
    X(IMAGE_MODEL,                                                             \
      "INSERT OR IGNORE INTO model(scope, generation, digest, bytes,"          \
      " published_ms, profile, origin) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")    \
    X(IMAGE_ENTRY,                                                             \
      "INSERT OR IGNORE INTO journal(scope, time_ms, token, ending,"           \
      " decision, holder, reason, figures, digest)"                            \
      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")                           \
    /* the file */                                                             \
    X(FILE_BYTES, "SELECT page_count * page_size FROM pragma_page_count(),"    \
                  " pragma_page_size()")                                       \
    X(FILE_CHECK, "PRAGMA integrity_check(20)")                                \
    X(TALLY_CHECK,                                                             \
      "SELECT scope.rule, scope.settings, kind, sum(value) FROM ("             \
      "SELECT scope, kind, value FROM tally WHERE kind < 9"                    \
      " UNION ALL SELECT scope, label * 4 + source, -count(*) FROM sample"     \
      " GROUP BY 1, 2"                                                         \
      " UNION ALL SELECT scope, 8, -sum(bytes) FROM sample GROUP BY 1"         \
      " UNION ALL SELECT scope, 16, iif(kind = 16, value, -value) FROM tally"  \
      " WHERE kind < 8 OR kind IN (16, 20, 21, 22))"                           \
      " JOIN scope ON scope.id = scope GROUP BY 1, 2, 3 HAVING sum(value) <> " \
      "0")

#endif
