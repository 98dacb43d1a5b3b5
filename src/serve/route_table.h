/* SPDX-License-Identifier: Apache-2.0
 *
 * The one table of the API's routes. What dispatches requests, what counts
 * them, and the reference in docs/api.md come from it (a test compares).
 */
#ifndef ND_SERVE_ROUTE_TABLE_H
#define ND_SERVE_ROUTE_TABLE_H

/* id and handler (nd_api_NAME), method, path ("{x}" at its end stands for any
 * word), name in metrics, role, types of body, where it runs, parameters of
 * the query, words */
#define ND_ROUTE_MAP(X)                                                        \
    X(SCORE, nd_api_score, "POST", "/v1/score", "score", READ, ND_TAKES_MAIL,  \
      QUICK, "rule settings id explain header autolearn",                      \
      "Gives a verdict for a message, a scan result, or both.")                \
    X(LEARN, nd_api_learn, "POST", "/v1/learn", "learn", LEARN, ND_TAKES_MAIL, \
      SLOW, "rule settings id class source time identity",                     \
      "Stores a sample; answered once it is durable.")                         \
    X(FORGET, nd_api_forget, "POST", "/v1/forget", "forget", LEARN,            \
      ND_TAKES_MAIL | ND_TAKES_NOTHING, SLOW,                                  \
      "rule settings identity source label since until dry_run",               \
      "Takes samples out of the store.")                                       \
    X(RELABEL, nd_api_relabel, "POST", "/v1/relabel", "relabel", LEARN,        \
      ND_TAKES_MAIL | ND_TAKES_NOTHING, SLOW,                                  \
      "rule settings class identity source label since until dry_run",         \
      "Changes the label of samples that are stored.")                         \
    X(TRAIN, nd_api_train, "POST", "/v1/train", "train", ADMIN,                \
      ND_TAKES_NOTHING, QUICK, "rule settings force",                          \
      "Starts a training, and answers its job.")                               \
    X(JOB, nd_api_job, "GET", "/v1/jobs/{id}", "job", READ, ND_TAKES_NOTHING,  \
      QUICK, "", "How far a training is, and how it ended.")                   \
    X(MODELS, nd_api_models, "GET", "/v1/models", "models", READ,              \
      ND_TAKES_NOTHING, QUICK, "rule settings",                                \
      "The generations that are kept, newest first.")                          \
    X(PIN, nd_api_pin, "POST", "/v1/models/pin", "pin", ADMIN,                 \
      ND_TAKES_NOTHING, SLOW, "rule settings generation",                      \
      "Makes a generation the live one, to stay so.")                          \
    X(UNPIN, nd_api_unpin, "POST", "/v1/models/unpin", "unpin", ADMIN,         \
      ND_TAKES_NOTHING, SLOW, "rule settings",                                 \
      "Lets trainings move the live model again.")                             \
    X(ROLLBACK, nd_api_rollback, "POST", "/v1/models/rollback", "rollback",    \
      ADMIN, ND_TAKES_NOTHING, SLOW, "rule settings generation",               \
      "Makes an older generation the live one; the next training may "         \
      "replace it.")                                                           \
    X(MODEL, nd_api_model, "GET", "/v1/models/{generation}", "model", READ,    \
      ND_TAKES_NOTHING, QUICK, "rule settings", "One generation.")             \
    X(STATUS, nd_api_status, "GET", "/v1/status", "status", READ,              \
      ND_TAKES_NOTHING, QUICK, "",                                             \
      "What this host knew at its last look at the store.")                    \
    X(METRICS, nd_api_metrics, "GET", "/metrics", "metrics", READ,             \
      ND_TAKES_NOTHING, QUICK, "", "Counters, as Prometheus reads them.")      \
    X(HEALTH, nd_api_health, "GET", "/healthz", "health", NONE,                \
      ND_TAKES_NOTHING, QUICK, "", "200 as long as the daemon answers.")       \
    X(READY, nd_api_ready, "GET", "/readyz", "ready", NONE, ND_TAKES_NOTHING,  \
      QUICK, "",                                                               \
      "200 where the store is up and its models are loaded, else 503.")

/* For tables of names: all in order, each with a comma behind. */
#define ND_ROUTE_NAME(id, handler, method, path, name, ...) name,
#define ND_ROUTE_NAMES ND_ROUTE_MAP(ND_ROUTE_NAME)

#endif
