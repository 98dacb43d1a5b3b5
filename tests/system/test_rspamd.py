# SPDX-License-Identifier: Apache-2.0
"""Beside a real rspamd: Debian's, with the configuration that packaging/ ships
and its neural module on. It scans and stores vectors; neurald trains; rspamd
loads the network and scores with it."""
import json
import random
import re
import threading

import pytest

from conftest import COMMON_WORDS, HAM_WORDS, SPAM_WORDS, Neurald, sentence
from rspamd_peer import Redis, Rspamd, unpack, wait_for

PROFILES = "rn2_default_1_default"
GENERATIONS = 5


def letter(label, number):
    """A message whose headers and form, and so rspamd's symbols, say more or
    less what it is."""
    chance = random.Random(f"{label} {number}")
    spam = label == "spam"
    likely = 0.75 if spam else 0.2
    words = SPAM_WORDS if spam else HAM_WORDS
    subject = sentence(chance, words, chance.randrange(2, 12))
    if chance.random() < likely:
        subject = subject.upper() + chance.choice(["!", "!!!", "?", " $$$"])
    host = f"host{chance.randrange(40)}.example"
    lines = [f"Received: from {host} by mx.example.org; "
             f"Wed, 25 Nov 2026 10:{number % 60:02}:00 +0000",
             f"Subject: {subject}", f"From: {chance.choice(words)}@{host}",
             "Date: Wed, 25 Nov 2026 10:00:00 +0000"]
    if chance.random() > likely:
        lines.append(f"Message-ID: <{label}{number}@{host}>")
    if chance.random() > likely:
        lines.append("To: User <user@example.org>")
    if chance.random() > likely:
        lines.append("MIME-Version: 1.0")
        lines.append("List-Unsubscribe: <mailto:off@example.org>")
    if chance.random() < likely:
        lines.append("X-Priority: 1")
    body = "\n".join(sentence(chance, words, 9)
                     for _ in range(chance.randrange(1, 40)))
    if chance.random() < likely:
        lines.append("Content-Type: text/html; charset=utf-8")
        link = chance.choice(COMMON_WORDS)
        body = f"<html><body><p>{body}</p><a href=\"http://1.2.3.4/{link}\">" \
               f"{link}</a></body></html>"
    return ("\n".join(lines) + "\n\n" + body + "\n").encode()


class Beside:
    """redis-server, rspamd and neurald."""

    def __init__(self, folder):
        for name in ("redis", "rspamd", "home"):
            (folder / name).mkdir()
        self.redis = Redis(folder / "redis")
        try:
            self.rspamd = Rspamd(folder / "rspamd", self.redis)
        except BaseException:
            self.redis.stop()
            raise
        self.neurald = Neurald(folder / "home")
        self.config = folder / "neurald.conf"
        self.config.write_text(
            f'rule rspamd {{ kind = rspamd\n rspamd_redis = "{self.redis.url}"'
            "\n rspamd_watch_interval = 1s\n train_interval = 0\n seed = 1 }\n")
        self.scanned = 0

    def stop(self):
        self.rspamd.stop()
        self.redis.stop()

    def scan(self, label, numbers):
        for number in numbers:
            told = self.rspamd.scan(letter(label, number), label)
            assert "symbols" in told, told
            self.scanned += 1

    def sync(self, *arguments):
        return self.neurald.ok("--config", self.config, "rspamd", "sync",
                               "--json", *arguments).json

    def live(self):
        return max((json.loads(text) for text in
                    self.redis("ZRANGE", PROFILES, 0, -1)),
                   key=lambda profile: profile["version"])

    def loaded(self, version):
        return re.search(r"\(normal\).*loaded ANN for default:default from "
                         rf"\S+_{version};"
                         rf".*version={version}\b", self.rspamd.log)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    place = Beside(tmp_path_factory.mktemp("beside"))
    yield place
    place.stop()


def test_rspamd_loads_and_scores_with_our_network(beside, tmp_path):
    beside.scan("spam", range(60))
    beside.scan("ham", range(60))
    wait_for(lambda: beside.rspamd.log.count("add train data") == 120,
             "the vectors")
    told = beside.sync()
    assert told["outcome"] == "published", told
    assert told["version"] == 1 and told["auc"] > 0.8
    wait_for(lambda: beside.loaded(1), "the network to be loaded")
    check_a_score(beside, tmp_path)


def check_a_score(beside, tmp_path):
    """rspamd's score of a message, to three digits, against our evaluation of
    the vector that it stored of the same message."""
    key = beside.live()["redis_key"]
    model, lines = tmp_path / "model", tmp_path / "lines"
    model.write_bytes(unpack(beside.redis("HGET", key, "ann")))
    for number, label in ((900, "spam"), (901, "ham"), (902, "spam")):
        before = set(beside.redis("SMEMBERS", f"{key}_{label}_set"))
        symbols = beside.rspamd.scan(letter(label, number), label)["symbols"]
        beside.scanned += 1
        neural = symbols.get("NEURAL_SPAM") or symbols["NEURAL_HAM"]
        new = wait_for(lambda: set(beside.redis(
            "SMEMBERS", f"{key}_{label}_set")) - before, "the vector")
        lines.write_text("1 " + unpack(new.pop()).decode().replace(";", " ")
                         + "\n")
        text = beside.neurald.ok("rspamd", "eval", "--model", model,
                                 "--vectors", lines).text
        ours = float(text.split()[-1])
        assert abs(float(neural["options"][0]) - ours) <= 1e-3
        assert (ours > 0) == ("NEURAL_SPAM" in symbols)


def test_five_generations_with_both_trainers_lose_nothing(beside):
    """rspamd's own trainer looks every second; mail goes on while we train."""
    assert beside.live()["version"] >= 1
    number, rounds = 1000, 0
    while beside.live()["version"] < GENERATIONS:
        rounds += 1
        assert rounds <= 4 * GENERATIONS
        beside.scan("spam", range(number, number + 30))
        beside.scan("ham", range(number, number + 30))
        mail = threading.Thread(target=beside.scan, args=(
            "spam", range(number + 30, number + 50)))
        mail.start()
        told = beside.sync("--force")
        mail.join()
        assert told["outcome"] in ("published", "rejected"), told
        number += 50
        if told["outcome"] == "published":
            version = told["version"]
            wait_for(lambda: beside.loaded(version), f"version {version}")
    check_that_ours_is_live(beside)
    check_that_nothing_is_lost(beside)


def check_that_ours_is_live(beside):
    live = beside.live()
    assert beside.redis("HGET", live["redis_key"], "neurald") is not None
    assert beside.redis("TTL", live["redis_key"]) > 90 * 24 * 3600
    assert "trained ANN" not in beside.rspamd.log  # rspamd's own trainer
    assert "ANN-train" not in beside.rspamd.log


def check_that_nothing_is_lost(beside):
    """Every scan left a vector, none met a lock, and all that are different are
    in our store."""
    log = beside.rspamd.log
    added = wait_for(lambda: beside.rspamd.log.count("add train data")
                     >= beside.scanned and beside.scanned, "the last vectors")
    assert log.count("locked for learning") == 0
    assert log.count("add train data") == added == beside.scanned
    stored = beside.sync()
    kept = beside.neurald.ok("--config", beside.config, "rspamd", "sync",
                             "--json").json
    assert stored["refused"] == kept["refused"] == 0
    assert kept["stored"] == 0
    different = {(label, vector) for text in
                 beside.redis("KEYS", "rn_*_set")
                 for label in [text.decode().split("_")[-2]]
                 for vector in beside.redis("SMEMBERS", text)}
    status = [line for line in beside.neurald.ok("status", "--json").lines
              if line.get("rule") == "rspamd"]
    assert status and status[0]["spam"] + status[0]["ham"] >= len(different)


def test_rspamd_logs_no_error_about_it(beside):
    bad = [line for line in beside.rspamd.log.splitlines()
           if "neural" in line.lower()
           and not re.search(r"cannot learn ANN \S+ now: there are not enough",
                             line)  # its own trainer, that waits
           and re.search(r"cannot|error|\binvalid\b|fail|unable", line, re.I)]
    assert not bad, bad[:5]
