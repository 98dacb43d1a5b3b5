# SPDX-License-Identifier: Apache-2.0
"""Every documented key has a test that shows its effect: the list of them, and
the keys that need more than a line. The others stand in test_config.py."""
import os
import pathlib
import subprocess
import time

import pytest

from conftest import SPAM_WORDS, fill_folder, trainer_of

TESTS = pathlib.Path(__file__).resolve().parent.parent

# Where a key's effect is shown.
SHOWN = {
    "system/test_config.py": {
        "store": "test_store_names_the_store",
        "store_timeout": "test_store_timeout_limits_the_wait",
        "key_file": "test_key_file_replaces_the_stores_key",
        "max_message": "test_limits_cut_what_is_read",
        "max_text": "test_limits_cut_what_is_read",
        "settings": "test_settings_keep_samples_apart",
        "mode": "test_observe_gives_no_weight",
        "learn_mode": "test_balanced_refuses_what_runs_ahead",
        "max_trains": "test_balanced_refuses_what_runs_ahead",
        "reservoir": "test_reservoir_bounds_a_class",
        "train_prob": "test_train_prob_skips_samples",
        "max_symbols": "test_max_symbols_bounds_the_registry",
        "families": "test_families_are_what_the_network_sees",
        "train_after": "test_a_training_is_due_by_number_and_time",
        "train_interval": "test_a_training_is_due_by_number_and_time",
        "min_train": "test_min_train_is_what_a_training_needs",
        "max_iterations": "test_the_networks_settings_reach_it",
        "hidden_units": "test_the_networks_settings_reach_it",
        "target_fpr": "test_the_networks_settings_reach_it",
        "seed": "test_a_seed_makes_trainings_repeatable",
        "train_time": "test_train_time_stops_the_trainer",
        "symbol_spam": "test_symbols_and_weights_are_the_rules",
        "symbol_ham": "test_symbols_and_weights_are_the_rules",
        "spam_weight": "test_symbols_and_weights_are_the_rules",
        "ham_weight": "test_symbols_and_weights_are_the_rules",
    },
    "system/test_config_keys.py": {
        "max_header": "test_a_limit_hides_what_lies_beyond",
        "max_header_line": "test_a_limit_hides_what_lies_beyond",
        "max_headers": "test_a_limit_hides_what_lies_beyond",
        "max_parts": "test_a_limit_hides_what_lies_beyond",
        "max_depth": "test_a_limit_hides_what_lies_beyond",
        "max_urls": "test_without_links_there_are_no_reasons_of_links",
        "learning_rate": "test_the_learning_rate_reaches_the_optimizer",
        "seeds": "test_seeds_are_the_candidates_of_a_training",
        "train_memory": "test_train_memory_stops_the_trainer",
        "train_nice": "test_train_nice_is_the_trainers",
        "target_fnr": "test_the_targets_set_the_thresholds",
        "lease": "test_the_lease_lasts_as_long_as_it_says",
    },
    "system/test_trust.py": {
        "trusted_headers": "test_a_trusted_writers_findings_count"},
    "system/test_model.py": {"keep_models": "test_models_over_keep_models_go"},
    "system/test_serve.py": {
        "autolearn": "test_autolearn_follows_the_findings_of_the_request",
        "spam_score": "test_autolearn_follows_the_findings_of_the_request"},
    "system/test_serve_keys.py": {
        "listen": "test_addresses_and_tokens_come_from_the_configuration",
        "token_file": "test_addresses_and_tokens_come_from_the_configuration",
        "train_share": "test_the_trainer_has_spare_time_and_competes_where_it_"
                       "starves",
        "threads": "test_threads_are_as_many_as_wanted",
        "connections": "test_connections_are_as_many_as_wanted",
        "log": "test_syslog_gets_the_messages_id_and_the_reason",
        "log_level": "test_the_log_has_lines_from_the_wanted_level_on",
        "log_scores": "test_scores_are_logged_only_where_that_is_wanted"},
    "system/test_serve_life.py": {
        "user": "test_another_user_serves_and_the_sockets_stay",
        "spool": "test_samples_wait_in_the_spool_while_the_store_is_away",
        "spool_size": "test_samples_wait_in_the_spool_while_the_store_is_away",
        "max_body": "test_reload_takes_tokens_limits_and_rules",
        "request_time": "test_slow_and_idle_connections_are_closed",
        "idle_time": "test_slow_and_idle_connections_are_closed",
        "rate_limit": "test_clients_over_the_rate_are_told_to_wait"},
    "system/test_fleet.py": {"roles": "test_each_does_what_its_roles_say"},
    "system/test_milter.py": {
        "address": "test_a_unix_socket_serves_too",
        "socket_mode": "test_a_unix_socket_serves_too",
        "header": "test_spam_is_tagged_or_held",
        "tag": "test_spam_is_tagged_or_held",
        "tag_subject": "test_spam_is_tagged_or_held",
        "tag_header": "test_spam_is_tagged_or_held",
        "quarantine": "test_spam_is_tagged_or_held",
        "deadline": "test_mail_passes_while_the_daemon_hangs",
        "max_memory": "test_beyond_max_memory_messages_pass_unread"},
    "system/test_rspamd_watch.py": {
        "kind": "test_rules_of_the_other_kind_are_left_in_peace",
        **{f"rspamd_{key}": "test_the_keys_of_the_configuration_have_their_"
                            "effect" for key in
           ("redis", "prefix", "rule", "settings", "watch_interval")}},
    "unit/learn/test_lessons.c": {
        "max_profiles": "seed_s02_no_more_than_max_profiles_are_kept"},
    "unit/learn/test_autolearn.c": {
        "ham_score": "seed_s09_scores_beyond_the_limits_are_learned"},
    "unit/learn/test_host.c": {
        "ann_expire": "old_models_expire_and_the_live_one_stays"},
    "unit/learn/test_host_redis.c": {
        "watch_interval": "the_others_hear_of_a_new_model_at_once"},
}


def test_every_key_has_a_test_that_shows_its_effect(neurald):
    documented = sorted(line["key"] for line in
                        neurald.ok("config", "--json").lines)
    shown = sorted(key for keys in SHOWN.values() for key in keys)
    assert shown == documented
    for file, keys in SHOWN.items():
        text = (TESTS / file).read_text()
        for key, test in keys.items():
            assert f"{test}(" in text, (file, test)
            assert key in text, (file, key)


# ---- limits ----

def multipart(*parts, boundary="b"):
    head = f"Content-Type: multipart/mixed; boundary={boundary}\n\n"
    return head.encode() + b"".join(
        b"--" + boundary.encode() + b"\n" + part for part in parts) + \
        b"--" + boundary.encode() + b"--\n"


WORDS = " ".join(SPAM_WORDS).encode()
PLAIN = b"Content-Type: text/plain\n\n"
BEYOND = {
    "max_header = 1KiB": b"X-Long: " + b"a " * 600 + b"\nSubject: " + WORDS +
                         b"\n\nnothing\n",
    "max_header_line = 256": b"Subject: " + b"- " * 200 + WORDS +
                             b"\n\nnothing\n",
    "max_headers = 1": b"From: a@host.example\nSubject: " + WORDS +
                       b"\n\nnothing\n",
    "max_parts = 2": multipart(PLAIN + b"nothing\n", PLAIN + WORDS + b"\n"),
    "max_depth = 1": multipart(multipart(
        multipart(PLAIN + WORDS + b"\n", boundary="d"), boundary="c")),
}


def families_of(neurald, path, *arguments):
    """The families that reasons of the verdict are of."""
    told = neurald.ok("explain", "--json", "--limit", "9999", path,
                      *arguments).json
    return [reason["family"] for reason in told["reasons"]]


@pytest.mark.parametrize("limit", BEYOND)
def test_a_limit_hides_what_lies_beyond(trained, configured, mail, limit):
    """Spam's words are seen without the limit, and not with it."""
    path = mail(data=BEYOND[limit])
    assert "words" in families_of(trained, path)
    config = configured(f"limits {{ {limit} }}\n")
    assert "words" not in families_of(trained, path, "--config", config)


def test_without_links_there_are_no_reasons_of_links(trained, configured,
                                                     mail):
    path = mail("spam", 1)
    assert "urls" in families_of(trained, path)
    config = configured("limits { max_urls = 0 }\n")
    assert "urls" not in families_of(trained, path, "--config", config)


# ---- the training ----

def taught(neurald, corpus):
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")


def trained_with(neurald, configured, text, store):
    """What train says, on a copy of the store."""
    path = neurald.home / store
    path.write_bytes(neurald.store.read_bytes())
    config = configured(f"rule default {{ seed = 5\n {text} }}\n")
    return neurald.ok("train", "--json", "--config", config, "--store",
                      path).json


def test_the_learning_rate_reaches_the_optimizer(neurald, configured, corpus):
    taught(neurald, corpus)
    losses = [trained_with(neurald, configured, text, f"{number}.db")
              ["log_loss"] for number, text in
              enumerate(["", "learning_rate = 0.002", ""])]
    assert losses[0] == losses[2] != losses[1]


def test_seeds_are_the_candidates_of_a_training(neurald, configured, corpus):
    """The best of the seeds from seed on counts; here not always the first.
    Under a key of a store's own the slots, and so the best, would be others."""
    key = neurald.home / "key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    hashed = f'key_file = "{key}"\n'
    neurald.ok("learn", "--config", configured(hashed), "--spam",
               corpus / "spam", "--ham", corpus / "ham")
    steps = []
    for first in (100, 200, 300):
        path = neurald.home / f"{first}.db"
        path.write_bytes(neurald.store.read_bytes())
        config = configured(f"{hashed}rule default {{ seed = {first}\n"
                            "seeds = 8\n families = \"words\"\n"
                            "max_iterations = 1 }\n")
        told = neurald.ok("train", "--json", "--config", config, "--store",
                          path).json
        steps.append(told["seed"] - first)
    assert all(0 <= step < 8 for step in steps)
    assert any(step > 0 for step in steps)


def test_train_memory_stops_the_trainer(neurald, configured, corpus):
    """A hidden layer that needs more than the least that may be given."""
    config = configured("rule default { train_memory = 64MiB\n"
                        "hidden_units = 2000 }\n")
    taught(neurald, corpus)
    result = neurald.run("train", "--config", config)
    assert result.status >= 64
    assert "train_memory" in result.err
    assert neurald.ok("status", "--json").json["lease_holder"] == ""
    neurald.ok("train")


def trainer(neurald, config):
    """A training that goes on for long, and its child's process id."""
    process = neurald.start("train", "--config", config,
                            stderr=subprocess.DEVNULL)
    return process, trainer_of(process)


SLOW = "max_iterations = 10000\n seeds = 16\n"


def test_train_nice_is_the_trainers(neurald, configured, corpus):
    config = configured(f"rule default {{ {SLOW} train_nice = 17 }}\n")
    taught(neurald, corpus)
    process, child = trainer(neurald, config)
    deadline = time.monotonic() + 20
    own = os.getpriority(os.PRIO_PROCESS, process.pid)
    while os.getpriority(os.PRIO_PROCESS, child) != min(own + 17, 19):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.terminate()
    process.wait(timeout=20)


def test_the_lease_lasts_as_long_as_it_says(neurald, configured, corpus):
    config = configured(f"rule default {{ {SLOW} lease = 600s }}\n")
    taught(neurald, corpus)
    process, _ = trainer(neurald, config)
    told = neurald.ok("status", "--json").json
    length = told["lease_until_ms"] - told["lease_since_ms"]
    assert 600000 <= length < 700000
    process.terminate()
    process.wait(timeout=20)


def test_the_targets_set_the_thresholds(neurald, configured, corpus,
                                        tmp_path):
    """Where some mail has the wrong label, so that the classes overlap."""
    taught(neurald, corpus)
    for label, other in (("spam", "ham"), ("ham", "spam")):
        fill_folder(tmp_path / label, label, range(100, 120))
        neurald.ok("learn", f"--{other}", tmp_path / label)
    thresholds = []
    for number, text in enumerate(["", "target_fnr = 0.3",
                                   "target_fpr = 0.3"]):
        trained_with(neurald, configured, text, f"{number}.db")
        told = neurald.ok("model", "show", "--json", "--store",
                          neurald.home / f"{number}.db").json
        thresholds.append((told["spam_threshold"], told["ham_threshold"]))
    assert thresholds[1][1] > thresholds[0][1]
    assert thresholds[2][0] < thresholds[0][0]
