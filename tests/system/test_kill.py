# SPDX-License-Identifier: Apache-2.0
"""kill -9 of the program and of its trainer child at random moments: what was
acknowledged is there, the accounts add up, and the next try works."""
import os
import random
import signal
import sqlite3
import subprocess
import time

from conftest import fill_folder, trainer_of

SLOW = "rule default { max_iterations = 4000\n seeds = 4\n lease = 5s }\n"


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def check_accounts(neurald):
    """Present, forgotten, replaced and consumed are what was stored."""
    told = neurald.ok("status", "--json").json
    accounts = told["accounts"]
    assert told["spam"] + told["ham"] == accounts["stored"] - \
        accounts["forgotten"] - accounts["replaced"] - accounts["consumed"]
    database = sqlite3.connect(neurald.store)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    return told


def test_a_killed_learner_keeps_what_it_stored(neurald, tmp_path):
    chance = random.Random(os.environ.get("SEED", "11"))
    folder = fill_folder(tmp_path / "spam", "spam", range(600))
    neurald.ok("learn", "--spam", folder / "spam-0000.eml")
    before = 1
    for _ in range(12):
        process = neurald.start("learn", "--quiet", "--spam", folder,
                                stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, 0.5))
        process.kill()
        process.wait()
        told = check_accounts(neurald)
        assert before <= told["spam"] <= 600
        before = told["spam"]
    told = neurald.ok("learn", "--spam", folder, "--json").json
    assert told["spam"] == 600
    assert told["duplicate"] >= before
    check_accounts(neurald)


def test_a_killed_trainer_child_fails_the_training_alone(neurald, corpus,
                                                         configured):
    chance = random.Random(os.environ.get("SEED", "12"))
    path = configured(SLOW)
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    for _ in range(4):
        process = neurald.start("train", "--config", path,
                                stderr=subprocess.PIPE)
        child = trainer_of(process)
        time.sleep(chance.uniform(0.0, 0.5))
        os.kill(child, signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        assert 64 <= process.returncode <= 78, (process.returncode, err)
        assert b"neurald: " in err
        told = check_accounts(neurald)
        assert told["lease_holder"] == ""
        assert (told["spam"], told["ham"]) == (80, 80)
    assert told["trainings"][0]["decision"] == "failed"
    assert neurald.ok("train", "--json").json["decision"] == "promoted"


def test_a_killed_parent_takes_its_child_along(neurald, corpus, configured):
    chance = random.Random(os.environ.get("SEED", "13"))
    path = configured(SLOW)
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    for _ in range(3):
        process = neurald.start("train", "--config", path,
                                stderr=subprocess.DEVNULL)
        child = trainer_of(process)
        time.sleep(chance.uniform(0.0, 0.5))
        process.kill()
        process.wait()
        deadline = time.monotonic() + 5
        while not is_gone(child):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        told = check_accounts(neurald)
        assert (told["spam"], told["ham"]) == (80, 80)
        # The lease is left behind; it can be taken over once it has run out.
        deadline = time.monotonic() + 15
        while neurald.run("train").status == 75:
            assert time.monotonic() < deadline
            time.sleep(0.3)
    told = check_accounts(neurald)
    assert told["lease_holder"] == "" and told["generation"] > 0


def test_killed_at_any_moment_of_a_training(neurald, corpus, configured):
    """Also while it publishes: the live model is the old or the new one."""
    chance = random.Random(os.environ.get("SEED", "14"))
    path = configured("rule default { max_iterations = 1\n seeds = 1\n"
                      "lease = 5s }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    began = time.monotonic()
    neurald.ok("train", "--config", path)
    whole = time.monotonic() - began
    for _ in range(8):
        process = neurald.start("train", "--config", path,
                                stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.0, whole * 1.1))
        process.kill()
        process.wait()
        told = check_accounts(neurald)
        listed = {line["generation"]: line["live"] for line in
                  neurald.ok("model", "list", "--json").lines}
        assert listed[told["generation"]] is True
        assert sum(listed.values()) == 1
        assert neurald.ok("explain", "--json",
                          corpus / "spam/spam-0001.eml").json["generation"] \
            == told["generation"]
