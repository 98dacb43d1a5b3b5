# SPDX-License-Identifier: Apache-2.0
"""The configuration: mistakes are named with file and line, and keys do what
the reference says. That each value reaches its own field, and every range, is
tested in tests/unit/cli/test_config.c."""
import sqlite3
import time

import pytest

from conftest import fill_folder, make_mail


def learned(neurald, folder, *arguments):
    """Learns a folder of spam; what learn says."""
    return neurald.ok("learn", "--spam", folder, "--json", *arguments).json


@pytest.mark.parametrize("text, words", [
    ("stoer = a\n", ["neurald.conf:1", "stoer"]),
    ("\nrule a {\n max_train = 5\n}\n", ["neurald.conf:3", "max_train"]),
    ("store = a\nstore = b\n", ["neurald.conf:2", "line 1", "store"]),
    ("rule a {}\nrule a {}\n", ["neurald.conf:2", "a"]),
    ("rule a {\n", ["neurald.conf:2", "rule", "'}'"]),
    ("limits {\n max_depth = 1000\n}\n", ["neurald.conf:2", "max_depth",
                                          "200"]),
    ("limits {\n max_message = 4 parsecs\n}\n", ["neurald.conf:2"]),
    ("store_timeout = never\n", ["neurald.conf:1", "store_timeout"]),
])
def test_a_mistake_is_78_with_file_and_line(neurald, configured, text, words):
    path = configured(text)
    for command in (["config"], ["config", "--test-config"], ["status"],
                    ["learn", "--spam", "x"], ["score", "x"]):
        neurald.fails(78, *command, "--config", path, words=words)
    assert list(neurald.home.iterdir()) == []


def test_a_missing_file_is_an_error(neurald, tmp_path):
    neurald.fails(66, "status", "--config", "/nonexistent",
                  words="/nonexistent")
    neurald.fails(78, "status", "--config", tmp_path, words="folder")


def test_a_good_file_passes(neurald, configured):
    path = configured("rule a {}\nrule b {}\n")
    result = neurald.ok("config", "--test-config", "--config", path)
    assert "ok, 2 rules" in result.err and result.out == b""


def test_the_example_passes_and_changes_nothing(neurald, configured):
    path = configured(neurald.ok("config", "--example").text)
    neurald.ok("config", "--test-config", "--config", path)
    plain = {(line["section"], line["key"]): line["value"]
             for line in neurald.ok("config", "--json").lines}
    given = {(line["section"], line["key"]): line["value"] for line in
             neurald.ok("config", "--json", "--config", path).lines}
    assert given == plain


def test_values_are_shown_with_their_origin(neurald, configured):
    path = configured("rule a {\n seeds = 3\n}\n")
    lines = neurald.ok("config", "--json", "--config", path, "--store",
                       "sqlite:x").lines
    told = {line["key"]: (line["value"], line["origin"]) for line in lines}
    assert told["seeds"] == ("3", f"{path}:2")
    assert told["store"] == ('"sqlite:x"', "--store")
    assert told["min_train"] == ("20", "default")


def test_a_variable_of_the_environment_is_put_in(neurald, configured):
    neurald.environment["WHERE"] = "/some/where"
    path = configured('store = "sqlite:${WHERE}/x.db"\n')
    lines = neurald.ok("config", "--json", "--config", path).lines
    assert lines[0]["value"] == '"sqlite:/some/where/x.db"'


# ---- what keys do ----

def test_store_names_the_store(neurald, configured, mail, tmp_path):
    path = configured(f"store = \"sqlite:{tmp_path}/mine.db\"\n")
    neurald.ok("learn", "--spam", mail(), "--config", path)
    assert (tmp_path / "mine.db").exists()
    neurald.ok("learn", "--spam", mail(), "--config", path, "--store",
               tmp_path / "other.db")
    assert (tmp_path / "other.db").exists()
    assert list(neurald.home.iterdir()) == []


def test_store_timeout_limits_the_wait(neurald, configured, mail):
    neurald.ok("learn", "--spam", mail("spam", 1))
    other = sqlite3.connect(neurald.store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    path = configured("store_timeout = 300ms\n")
    began = time.monotonic()
    result = neurald.run("learn", "--spam", mail("spam", 2), "--config", path)
    assert result.status in (69, 75), result.err
    assert 0.2 < time.monotonic() - began < 3
    other.execute("ROLLBACK")
    other.close()
    neurald.ok("learn", "--spam", mail("spam", 2), "--config", path)


def test_key_file_replaces_the_stores_key(trained, configured, mail, tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    path = configured(f"key_file = \"{key}\"\n")
    trained.ok("learn", "--spam", mail(), "--config", path)
    result = trained.ok("score", "--json", mail(), "--config", path)
    assert result.json["verdict"] == "unsure"
    assert "key" in result.err
    key.chmod(0o644)
    result = trained.fails(78, "score", mail(), "--config", path)
    assert str(key) in result.err
    key.chmod(0o600)
    key.write_text("no key\n")
    trained.fails(78, "score", mail(), "--config", path, words=str(key))


def test_limits_cut_what_is_read(trained, configured, tmp_path):
    data = make_mail("ham", 900) + make_mail("spam", 900) * 4
    path = tmp_path / "long.eml"
    path.write_bytes(data)
    whole = trained.ok("score", "--json", path).json["log_odds"]
    head = configured("limits { max_message = 1KiB }\n")
    cut = trained.ok("score", "--json", path, "--config", head).json
    assert cut["log_odds"] < whole
    text = configured("limits { max_text = 1KiB }\n")
    cut = trained.ok("score", "--json", path, "--config", text).json
    assert cut["log_odds"] < whole


def test_train_prob_skips_samples(neurald, configured, corpus):
    path = configured("rule default { train_prob = 0 }\n")
    told = learned(neurald, corpus / "spam", "--config", path)
    assert (told["spam"], told["refused"]) == (0, {"train_prob": 80})


def test_reservoir_bounds_a_class(neurald, configured, corpus):
    path = configured("rule default { reservoir = 30 }\n")
    told = learned(neurald, corpus / "spam", "--config", path)
    assert told["spam"] == 30
    assert told["replaced"] == 50


def test_balanced_refuses_what_runs_ahead(neurald, configured, corpus):
    path = configured("rule default { learn_mode = balanced\n"
                      "max_trains = 20 }\n")
    told = learned(neurald, corpus / "spam", "--config", path)
    assert told["spam"] < 30
    assert told["refused"]["quota"] == 80 - told["spam"]


def test_min_train_is_what_a_training_needs(neurald, configured, tmp_path):
    path = configured("rule default { min_train = 12 }\n")
    for label in ("spam", "ham"):
        fill_folder(tmp_path / label, label, range(12))
    neurald.ok("learn", "--spam", tmp_path / "spam", "--ham",
               tmp_path / "ham")
    neurald.fails(1, "train", words="20")
    neurald.ok("train", "--config", path)


def test_families_are_what_the_network_sees(neurald, configured, corpus, mail):
    path = configured('rule default { families = "metatokens,words" }\n')
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham",
               "--config", path)
    neurald.ok("train", "--config", path)
    told = neurald.ok("explain", "--json", "--limit", "9999", mail(),
                      "--config", path).json
    assert {reason["family"] for reason in told["reasons"]} == \
        {"metatokens", "words"}


def test_families_are_chosen_for_one_command(trained, corpus, mail, tmp_path):
    def families(*arguments):
        told = trained.ok("explain", "--json", "--limit", "9999", mail(),
                          *arguments).json
        return {reason["family"] for reason in told["reasons"]}
    assert {"metatokens", "words", "urls"} < families()
    assert families("--families", "words,urls") == {"words", "urls"}
    narrow = trained.ok("score", "--json", mail(), "--families", "words").json
    assert narrow["log_odds"] != \
        trained.ok("score", "--json", mail()).json["log_odds"]
    other = ("--store", f"sqlite:{tmp_path}/other.db")
    trained.fails(64, "learn", "--spam", corpus / "spam", "--families", "x",
                  *other, words="--families")
    assert not (tmp_path / "other.db").exists()
    trained.ok("learn", "--spam", corpus / "spam", "--families", "metatokens",
               *other)
    told = trained.ok("status", "--json", *other).json
    assert told["spam"] == 80 and told["payload_bytes"] < 80 * 200
    trained.fails(64, "score", mail(), "--families", "text", "--server",
                  "unix:/nowhere", words="--families")


def test_max_symbols_bounds_the_registry(neurald, configured, mail):
    path = configured("rule default { max_symbols = 3 }\n")
    neurald.ok("learn", "--spam", mail(), "--config", path)
    told = neurald.ok("status", "--json", "--config", path).json
    assert told["registry_length"] == 3
    assert told["refused"]["symbol_limit"] > 0


def test_a_training_is_due_by_number_and_time(trained, configured, tmp_path):
    fill_folder(tmp_path / "more", "spam", range(200, 230))
    trained.ok("learn", "--spam", tmp_path / "more")

    def due(text):
        return trained.ok("status", "--json", "--config",
                          configured(f"rule default {{ {text} }}\n")).json
    assert not due("train_interval = 0s")["due"]  # 50 at least
    assert due("train_after = 30\n train_interval = 0s")["due"]
    assert not due("train_after = 31\n train_interval = 0s")["due"]
    waiting = due("train_after = 30\n train_interval = 1h")
    assert not waiting["due"] and waiting["due_words"]


def test_the_networks_settings_reach_it(neurald, configured, corpus):
    path = configured("rule default { hidden_units = 5\n max_iterations = 2\n"
                      "target_fpr = 0.02\n seed = 99\n seeds = 1 }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    neurald.ok("train", "--config", path)
    told = neurald.ok("model", "show", "--json").json
    assert (told["hidden_units"], told["epochs"]) == (5, 2)
    assert told["target_fpr"] == pytest.approx(0.02)
    assert told["seed"] == 99


def test_a_seed_makes_trainings_repeatable(neurald, configured, corpus):
    path = configured("rule default { seed = 7 }\n")
    told = []
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    for store in ("a.db", "b.db"):
        (neurald.home / store).write_bytes(neurald.store.read_bytes())
        told.append(neurald.ok("train", "--json", "--config", path,
                               "--store", store).json)
    assert told[0]["log_loss"] == told[1]["log_loss"]


def test_train_time_stops_the_trainer(neurald, configured, corpus):
    path = configured("rule default { train_time = 1s\n seeds = 16\n"
                      "max_iterations = 10000 }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    began = time.monotonic()
    result = neurald.run("train", "--config", path)
    assert result.status not in (0, 1), result.err
    assert time.monotonic() - began < 10
    told = neurald.ok("status", "--json").json
    assert (told["lease_holder"], told["generation"]) == ("", 0)
    assert told["trainings"][0]["decision"] == "failed"


def test_symbols_and_weights_are_the_rules(trained, configured, mail):
    path = configured("rule default { symbol_spam = OUR_SPAM\n"
                      "symbol_ham = OUR_HAM\n spam_weight = 10\n"
                      "ham_weight = -0.25 }\n")
    spam, ham = trained.ok("score", "--json", "--config", path,
                           mail("spam", 900), mail("ham", 900)).lines
    assert spam["symbol"] == "OUR_SPAM" and 3 < spam["weight"] <= 10
    assert ham["symbol"] == "OUR_HAM" and -0.25 <= ham["weight"] < 0


def test_observe_gives_no_weight(trained, configured, mail):
    path = configured("rule default { mode = observe }\n")
    line = trained.ok("score", "--json", "--config", path,
                      mail("spam", 900)).json
    assert (line["verdict"], line["weight"]) == ("spam", 0)


def test_settings_keep_samples_apart(neurald, configured, mail):
    inbound = configured("rule default { settings = inbound }\n")
    neurald.ok("learn", "--spam", mail(), "--config", inbound)
    told = {line["settings"]: line["spam"]
            for line in neurald.ok("status", "--json").lines}
    assert told == {"default": 0, "inbound": 1}
