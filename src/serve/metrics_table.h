/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of metrics that are counted here (what the host at work counts
 * is in metrics_host.c). docs/api.md lists them; a test compares both.
 */
#ifndef ND_SERVE_METRICS_TABLE_H
#define ND_SERVE_METRICS_TABLE_H

/* id, type, name, label ("" without one), words, and the label's values, which
 * callers name by their place */
#define ND_METRIC_MAP(X)                                                     \
    X(REQUESTS, COUNTER, "neurald_http_requests_total", "route",             \
      "Requests, by route of the API.", ND_ROUTE_NAMES "none")               \
    X(ANSWERS, COUNTER, "neurald_http_responses_total", "code",              \
      "Answers, by status code of HTTP.", "200", "202", "400", "401", "403", \
      "404", "405", "408", "409", "411", "413", "415", "422", "429", "500",  \
      "503", "507", "other")                                                 \
    X(CONNECTIONS, COUNTER, "neurald_http_connections_total", "",            \
      "Connections accepted.", "")                                           \
    X(CONNECTIONS_OPEN, GAUGE, "neurald_http_connections_open", "",          \
      "Connections open now.", "")                                           \
    X(CONNECTIONS_CUT, COUNTER, "neurald_http_connections_cut_total", "",    \
      "Connections closed because a request or a pause took too long.", "")  \
    X(BODY_BYTES, COUNTER, "neurald_http_request_bytes_total", "",           \
      "Bytes of request bodies read.", "")                                   \
    X(BODIES_HELD, GAUGE, "neurald_http_request_bytes_held", "",             \
      "Bytes of request bodies in memory now.", "")                          \
    X(SCORE_SECONDS, HISTOGRAM, "neurald_score_seconds", "input",            \
      "Time from the last byte of a request for a score to its verdict.",    \
      "findings", "message")                                                 \
    X(LEARN_SECONDS, HISTOGRAM, "neurald_learn_seconds", "",                 \
      "Time from a request that changes samples to its answer.", "")         \
    X(AUTOLEARN, COUNTER, "neurald_autolearn_total", "result",               \
      "Scored messages that asked for autolearn, by what became of them.",   \
      "spam", "ham", "none", "dropped")                                      \
    X(RELOADS, COUNTER, "neurald_reloads_total", "result",                   \
      "Reloads of the configuration.", "ok", "failed")                       \
    X(MILTER_MESSAGES, COUNTER, "neurald_milter_messages_total", "result",   \
      "Messages that the milter asked about, by the answer.", "spam", "ham", \
      "unsure", "no_model", "failed")                                        \
    X(MILTER_EVENTS, COUNTER, "neurald_milter_events_total", "event",        \
      "What happened to messages at the milter: late, gone and crowded "     \
      "passed without an answer; aborted never ended; forged and refused "   \
      "count headers removed and changes that the mail server refused.",     \
      "late", "gone", "crowded", "aborted", "forged", "refused", "tagged",   \
      "quarantined")                                                         \
    X(MILTER_SECONDS, HISTOGRAM, "neurald_milter_seconds", "",               \
      "Time from a message in the daemon to its answer.", "")                \
    X(MILTER_STARTS, COUNTER, "neurald_milter_starts_total", "",             \
      "Times that the milter's worker was started.", "")

#endif
