# SPDX-License-Identifier: Apache-2.0
"""The trainer for rspamd's own network, on a Redis that holds what rspamd
leaves there: profile, vectors, network. A real rspamd is in test_rspamd.py."""
import json
import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import time

import pytest

from conftest import ROOT
from rspamd_peer import Redis, free_port, unpack, wait_for

DATA = ROOT / "tests/data"
PROFILES = "rn2_default_1_default"
KEY = "rn_default_default_zr8i6hk3_"
WIDTH = 220


def pack(data):
    """A zstd frame that holds data as it is: one block, not compressed."""
    if len(data) < 256:
        head = b"\x20" + bytes([len(data)])
    else:
        head = b"\x60" + (len(data) - 256).to_bytes(2, "little")
    block = (len(data) << 3 | 1).to_bytes(3, "little")
    return b"\x28\xb5\x2f\xfd" + head + block + data


def read_vectors(name):
    """(label, text) of vectors that rspamd stored."""
    vectors = []
    for line in unpack((DATA / name).read_bytes()).decode().splitlines():
        label, *entries = line.split("#")[0].split()
        row = ["0"] * WIDTH
        for entry in entries:
            column, value = entry.split(":")
            row[int(column) - 1] = value
        vectors.append(("spam" if label == "1" else "ham", ";".join(row)))
    random.Random(1).shuffle(vectors)
    return vectors


def flipped(vectors):
    return [("ham" if label == "spam" else "spam", text)
            for label, text in vectors]


@pytest.fixture(scope="module")
def vectors():
    """What rspamd's network of tests/data was trained on."""
    return read_vectors("sa_rspamd_vectors.svm.zst")


@pytest.fixture(scope="module")
def unseen():
    """What it was not."""
    return read_vectors("sa_rspamd_vectors_test.svm.zst")


class Place:
    """rspamd's keys, and neurald at work on them."""

    def __init__(self, redis, neurald, configured):
        self.redis, self.neurald = redis, neurald
        self.config = configured(
            f'rule rspamd {{ kind = rspamd\n rspamd_redis = "{redis.url}"\n'
            " seed = 1\n train_after = 50\n train_interval = 0 }\n")
        self.profile = json.loads(
            (DATA / "rspamd-3.4-profile.json").read_text())

    def add_profile(self, version, **more):
        profile = {**self.profile, "version": version,
                   "redis_key": f"{KEY}{version}", **more}
        self.redis("ZADD", PROFILES, str(time.time()),
                   json.dumps(profile, separators=(",", ":")))

    def add_network(self, version, packed=None):
        """rspamd's own, unless told otherwise."""
        packed = packed or (DATA / "rspamd-3.4-model.kann.zst").read_bytes()
        self.redis("HSET", f"{KEY}{version}", "ann", packed, "roc_thresholds",
                   "[]")
        self.redis("EXPIRE", f"{KEY}{version}", 100)

    def add_bad_network(self, version, vectors, folder):
        """One that takes spam for ham, and ham for spam."""
        lines, out = folder / "lines", folder / "bad"
        lines.write_text("".join(
            f"{int(label == 'spam')} {text.replace(';', ' ')}\n"
            for label, text in flipped(vectors)))
        self.neurald.ok("rspamd", "train", "--vectors", lines, "--out", out)
        self.add_network(version, subprocess.run(
            ["zstd", "-qc", out], check=True, stdout=subprocess.PIPE).stdout)

    def add_vectors(self, version, vectors, key=KEY):
        for label in ("spam", "ham"):
            packed = [pack(text.encode()) for class_, text in vectors
                      if class_ == label]
            if packed:
                self.redis("SADD", f"{key}{version}_{label}_set", *packed)

    def sync(self, *arguments):
        return self.neurald.ok("--config", self.config, "rspamd", "sync",
                               "--json", *arguments).json

    def live_version(self):
        return max(json.loads(text)["version"] for text in
                   self.redis("ZRANGE", PROFILES, 0, -1))


@pytest.fixture
def place(tmp_path, neurald, configured):
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = Redis(folder)
    yield Place(redis, neurald, configured)
    redis.stop()


def test_nothing_there_yet(place):
    place.neurald.fails(1, "--config", place.config, "rspamd", "sync",
                        words="neural module")


def test_vectors_become_the_first_network(place, vectors):
    place.add_profile(0)
    place.add_vectors(0, vectors[:240])
    told = place.sync()
    assert told["outcome"] == "published", told
    assert (told["version"], told["stored"], told["refused"]) == (1, 240, 0)
    assert told["auc"] > 0.9
    fields = place.redis("HKEYS", f"{KEY}1")
    assert sorted(fields) == [b"ann", b"neurald", b"roc_thresholds"]
    file = unpack(place.redis("HGET", f"{KEY}1", "ann"))
    assert file[:4] == b"KAN\1"
    spam, ham = json.loads(place.redis("HGET", f"{KEY}1", "roc_thresholds"))
    assert 0 < spam < 1 and 0 < ham < 1
    assert place.redis("TTL", f"{KEY}1") > 99 * 24 * 3600
    assert 500 < place.redis("TTL", f"{KEY}0_spam_set") <= 600
    assert 500 < place.redis("TTL", f"{KEY}0_ham_set") <= 600
    assert place.redis("EXISTS", f"{KEY}0") == 0  # only the lock was there
    profiles = [json.loads(text) for text in
                place.redis("ZREVRANGE", PROFILES, 0, -1)]
    assert profiles[0] == {**place.profile, "version": 1,
                           "redis_key": f"{KEY}1"}
    again = place.sync()
    assert again["outcome"] == "waiting"
    assert (again["stored"], again["known"]) == (0, 240)


def test_a_better_network_takes_the_live_ones_place(place, vectors, unseen):
    place.add_profile(0)
    place.add_profile(1)
    place.add_network(1)
    place.add_vectors(0, vectors)
    assert place.sync()["outcome"] == "waiting"  # and marks the live network
    place.add_vectors(1, unseen)
    told = place.sync()
    assert told["outcome"] == "published", told
    assert told["version"] == 2 == place.live_version()
    assert told["auc"] > told["live_auc"]
    assert place.redis("HGET", f"{KEY}1", "obsolete") == b"1"
    assert place.redis("HGET", f"{KEY}1", "lock") is None
    assert place.redis("HGET", f"{KEY}1", "ann") is not None


def test_a_worse_network_does_not(place, vectors, unseen):
    """Most of what the candidate learns from has the wrong label, and rspamd's
    network has not."""
    place.add_profile(0)
    place.add_profile(1)
    place.add_network(1)
    place.add_vectors(0, flipped(vectors[:1500]))
    place.sync()
    place.add_vectors(1, unseen[:300])
    told = place.sync()
    assert told["outcome"] == "rejected", told
    assert "not better than version 1" in told["text"]
    assert told["live_auc"] > 0.9
    assert place.live_version() == 1
    assert place.redis("EXISTS", f"{KEY}1_spam_set") == 1
    assert place.redis("HGET", f"{KEY}1", "lock") is None


def test_little_that_is_new_judges_nothing(place, vectors, unseen):
    place.add_profile(0)
    place.add_profile(1)
    place.add_network(1)
    place.add_vectors(0, vectors[:300])
    place.sync()
    place.add_vectors(1, unseen[:15])
    told = place.sync("--force")
    assert told["outcome"] == "waiting" and "10 of each" in told["text"]


@pytest.mark.parametrize("age, outcome", [(5, "busy"), (-5, "busy"),
                                          (300, "published"),
                                          (-300, "published")])
def test_a_lock_is_respected_until_it_is_stale(place, vectors, age, outcome):
    place.add_profile(0)
    place.add_vectors(0, vectors[:200])
    now = int(time.time())
    place.redis("HSET", f"{KEY}0", "lock", now - age, "hostname", "peer.host")
    told = place.sync()
    assert told["outcome"] == outcome, told
    if outcome == "busy":
        assert "peer.host" in told["text"]
        assert place.redis("HGET", f"{KEY}0", "lock") == str(now - age).encode()
        assert told["stored"] == 200  # copied all the same


def test_what_is_not_known_is_left_alone_and_said(place, vectors, tmp_path):
    place.add_profile(1, providers=["x"])
    place.add_bad_network(1, vectors[:300], tmp_path)
    place.redis("HSET", f"{KEY}1", "colour", "blue")
    place.sync()
    place.add_vectors(1, vectors[:400])
    result = place.neurald.ok("--config", place.config, "rspamd", "sync",
                              "--json")
    assert "colour" in result.err and "providers" in result.err
    assert result.json["outcome"] == "published"
    assert place.redis("HGET", f"{KEY}1", "colour") == b"blue"
    newest = json.loads(place.redis("ZREVRANGE", PROFILES, 0, 0)[0])
    assert newest["providers"] == ["x"] and newest["version"] == 2


@pytest.mark.parametrize("field", ["pca", "norm_stats", "providers_meta"])
def test_a_network_of_other_inputs_stays(place, vectors, field):
    place.add_profile(1)
    place.add_network(1)
    place.redis("HSET", f"{KEY}1", field, "x")
    place.add_vectors(1, vectors[:200])
    told = place.sync("--force")
    assert told["outcome"] == "left" and field in told["text"]
    assert told["stored"] == 200
    assert place.live_version() == 1


def test_a_network_that_cannot_be_read_stays(place, vectors):
    place.add_profile(1)
    place.redis("HSET", f"{KEY}1", "ann", pack(b"KAN\1 and nothing"))
    place.add_vectors(1, vectors[:200])
    told = place.sync("--force")
    assert told["outcome"] == "left" and "cannot be judged" in told["text"]


def test_the_live_networks_expiry_is_refreshed(place, vectors):
    place.add_profile(1)
    place.add_network(1)
    assert place.redis("TTL", f"{KEY}1") <= 100
    place.sync()
    assert place.redis("TTL", f"{KEY}1") > 99 * 24 * 3600
    place.redis("PERSIST", f"{KEY}1")
    place.sync()
    assert place.redis("TTL", f"{KEY}1") == -1  # for ever is longer


def test_vectors_that_are_none_are_left_out(place, vectors):
    place.add_profile(0)
    place.add_vectors(0, vectors[:100])
    bad = ["0;1", "nan;" + vectors[0][1][2:], "x", vectors[0][1] + ";0;0"]
    for text in bad:
        place.redis("SADD", f"{KEY}0_spam_set", pack(text.encode()))
    place.redis("SADD", f"{KEY}0_ham_set", b"not compressed")
    result = place.neurald.ok("--config", place.config, "rspamd", "sync",
                              "--json")
    told = result.json
    # "0;1" is shorter than the profile's symbols are many.
    assert (told["stored"], told["malformed"], told["other_length"]) == (
        100, 3, 2)
    assert "left out" in result.err and "most (220 numbers)" in result.err


def test_one_odd_vector_in_front_does_not_decide(place, vectors):
    """A small set is walked in the order in which it was filled; rspamd's
    trainer fails on such a one (rspamd 5705)."""
    place.add_profile(0)
    place.redis("SADD", f"{KEY}0_ham_set",
                pack((vectors[0][1] + ";0;0").encode()))
    place.add_vectors(0, vectors[:240])
    told = place.sync()
    assert told["outcome"] == "published", told
    assert (told["stored"], told["other_length"]) == (240, 1)


def test_new_symbols_keep_the_old_vectors(place, vectors):
    """rspamd would start from nothing, and be without a network meanwhile."""
    place.add_profile(0)
    place.add_vectors(0, vectors[:300])
    assert place.sync()["version"] == 1
    symbols = sorted(place.profile["symbols"][1:] + ["A_NEW_ONE"])
    place.add_profile(0, symbols=symbols, digest="other" * 20,
                      redis_key="rn_default_default_otherothe_0")
    told = place.sync()
    assert told["outcome"] == "published", told
    newest = json.loads(place.redis("ZREVRANGE", PROFILES, 0, 0)[0])
    assert newest["redis_key"] == "rn_default_default_otherothe_1"
    assert newest["symbols"] == symbols
    assert told["auc"] > 0.9


def test_a_malformed_profile_is_passed_over(place, vectors):
    place.redis("ZADD", PROFILES, "9999999999", "{not json")
    place.redis("ZADD", PROFILES, "9999999998",
                '{"digest":"d","symbols":["A"],"version":3,"redis_key":"k_2"}')
    place.redis("ZADD", PROFILES, "9999999997", b"\x84\xa6digest\xa1d\xff\x00")
    place.redis("ZADD", PROFILES, "9999999996", b"[" * 100000)
    place.redis("ZADD", PROFILES, "9999999995", b"")
    # Another program's key, which must not become a network.
    place.redis("SET", "sessions_0", "precious")
    place.redis("ZADD", PROFILES, "9999999994", json.dumps(
        {**place.profile, "version": 0, "redis_key": "sessions_0"}))
    place.add_profile(0)
    place.add_vectors(0, vectors[:200])
    result = place.neurald.ok("--config", place.config, "rspamd", "sync",
                              "--json")
    assert result.json["outcome"] == "published"
    assert "no JSON" in result.err and "k_2" in result.err
    assert "sessions_0" in result.err
    assert place.redis("GET", "sessions_0") == b"precious"
    assert place.redis("EXISTS", "sessions_1") == 0


def test_keys_of_another_type_are_said_and_left_alone(place, vectors):
    place.redis("SET", "rn3_default_3_default", "no sorted set")
    place.add_profile(0)
    place.add_profile(2, digest="other" * 20,
                      redis_key="rn_default_default_otherothe_2")
    place.add_vectors(0, vectors[:240])
    # As the seed's version had them; and something else in a network's place.
    place.redis("RPUSH", "rn_default_default_otherothe_2_spam_set", "x")
    place.redis("RPUSH", "rn_default_default_otherothe_2", "x")
    place.add_profile(0)  # used last
    result = place.neurald.ok("--config", place.config, "rspamd", "sync",
                              "--json")
    assert result.json["outcome"] == "published", result.json
    for key in ("rn3_default_3_default",
                "rn_default_default_otherothe_2_spam_set"):
        assert f"{key} is left alone" in result.err, result.err
    assert place.redis("TYPE", "rn_default_default_otherothe_2_spam_set") == \
        b"list"
    # Where the network of the profile in use is none, it is not written over.
    place.redis("DEL", f"{KEY}1")
    place.redis("SET", f"{KEY}1", "mine")
    place.add_vectors(1, vectors[240:600])
    result = place.neurald.run("--config", place.config, "rspamd", "sync",
                               "--force", "--json")
    assert f"{KEY}1 is left alone" in result.err
    assert place.redis("GET", f"{KEY}1") == b"mine"


def test_bombs_take_no_memory(place, vectors):
    """A few bytes that unpack to gigabytes, as vector and as network."""
    bomb = subprocess.run("head -c 1G /dev/zero | zstd -q -c", shell=True,
                          check=True, stdout=subprocess.PIPE).stdout
    assert len(bomb) < 1 << 20
    place.add_profile(0)
    place.add_vectors(0, vectors[:100])
    place.redis("SADD", f"{KEY}0_spam_set", bomb, bomb[:1000])

    def sync():
        return place.neurald.ok(
            "--config", place.config, "rspamd", "sync", "--force", "--json",
            preexec_fn=lambda: resource.setrlimit(
                resource.RLIMIT_DATA, (512 << 20, 512 << 20)))

    told = sync().json
    assert (told["outcome"], told["malformed"]) == ("published", 2), told
    place.redis("HSET", f"{KEY}1", "ann", bomb)
    place.add_vectors(1, vectors[100:300])
    result = place.neurald.run(
        "--config", place.config, "rspamd", "sync", "--force", "--json",
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_DATA, (512 << 20, 512 << 20)))
    assert result.status == 65 and f"{KEY}1" in result.err, result.err
    assert place.live_version() == 1


def test_after_an_upgrade_of_rspamd_the_profiles_in_use_count(place, vectors):
    """rspamd 3.13 has other keys, and other metatokens by the same numbers."""
    place.add_profile(0)
    place.add_vectors(0, vectors[:200])
    assert place.sync()["version"] == 1
    profile = {**place.profile, "version": 0, "digest": "newer" * 20,
               "redis_key": "rn_default_default_newernew_0"}
    place.redis("ZADD", "rn3_default_3_default", str(time.time()),
                json.dumps(profile))
    place.add_vectors(0, vectors[200:500], "rn_default_default_newernew_")
    told = place.sync()
    assert (told["outcome"], told["stored"]) == ("published", 300), told
    assert place.redis("EXISTS", "rn_default_default_newernew_1") == 1
    assert json.loads(place.redis("ZREVRANGE", "rn3_default_3_default", 0,
                                  0)[0])["version"] == 1
    names = place.neurald.store.read_bytes()
    assert b"rspamd:metatoken:v3:1" in names and b"rspamd:metatoken:1" in names


def test_profiles_with_providers_are_left_alone(place, vectors):
    place.add_profile(0, providers_digest="0123456789abcdef")
    place.add_vectors(0, vectors[:200])
    told = place.sync("--force")
    assert told["outcome"] == "left" and "providers_digest" in told["text"]
    assert told["stored"] == 0
    assert place.live_version() == 0


def test_the_keys_of_the_configuration_have_their_effect(place, vectors,
                                                         configured):
    profile = {**place.profile, "version": 0,
               "redis_key": "px_LONG_out_zr8i6hk3_0"}
    place.redis("ZADD", "px2_LONG_1_out", 1, json.dumps(profile))
    place.redis("HSET", profile["redis_key"], "lock", int(time.time()) - 60,
                "hostname", "peer")
    place.add_vectors("", vectors[:200], profile["redis_key"])
    config = """rule "mine" {{ kind = rspamd
        rspamd_redis = "{0}"\n rspamd_prefix = "px"\n rspamd_rule = "LONG"
        rspamd_settings = "out"\n rspamd_watch_interval = {1}\n seed = 1 }}"""
    place.config = configured(config.format(place.redis.url, "60s"))
    assert place.sync()["outcome"] == "busy"
    place.config = configured(config.format(place.redis.url, "10s"))
    assert place.sync("--rule", "mine")["outcome"] == "published"
    assert place.redis("EXISTS", "px_LONG_out_zr8i6hk3_1") == 1


def test_rules_of_the_other_kind_are_left_in_peace(place, mail):
    place.neurald.ok("--config", place.config, "learn", "--spam", mail("spam"))
    text = place.neurald.ok("--config", place.config, "config").text
    assert "kind = rspamd" in text and "rule rspamd {" in text
    assert "rule default {" in text
    place.neurald.fails(64, "--config", place.config, "rspamd", "sync",
                        "--rule", "default", words="default")
    place.neurald.fails(64, "rspamd", "sync", words="kind rspamd")


def test_a_rule_without_its_redis_is_refused(neurald, configured):
    config = configured("rule r { kind = rspamd }\n")
    neurald.fails(78, "--config", config, "rspamd", "sync",
                  words="rspamd_redis")


def test_watch_goes_on_until_it_is_stopped(place, vectors):
    text = place.config.read_text().replace("seed = 1",
                                            "seed = 1\n watch_interval = 1s")
    place.config.write_text(text)
    process = place.neurald.start("--config", place.config, "rspamd", "watch",
                                  "--json", stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
    try:
        time.sleep(1)
        place.add_profile(0)
        place.add_vectors(0, vectors[:200])
        lines = []
        while not any('"published"' in line for line in lines):
            lines.append(process.stdout.readline().decode())
            assert lines[-1], process.stderr.read()
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
    assert place.live_version() == 1


def test_the_daemon_watches_too_and_stops_in_time(place, vectors):
    text = place.config.read_text().replace("seed = 1",
                                            "seed = 1\n watch_interval = 1s")
    place.config.write_text(text)
    place.redis("ZADD", PROFILES, "1", '{"version":0}')
    place.add_profile(0)
    place.add_vectors(0, vectors[:200])
    daemon = place.neurald.start(
        "--config", place.config, "serve", "--listen",
        f"127.0.0.1:{free_port()}", stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    try:
        wait_for(lambda: place.live_version() == 1, "the network", 30)
        place.config.write_text(text.replace("seed = 1", "seed = 2"))
        daemon.send_signal(signal.SIGHUP)
        place.add_profile(0, digest="other" * 20,
                          redis_key="rn_default_default_otherothe_0")
        wait_for(lambda: place.redis("EXISTS",
                                     "rn_default_default_otherothe_1"),
                 "the network of another profile", 30)
        place.redis.process.send_signal(signal.SIGSTOP)
        time.sleep(2)  # until a look hangs
        daemon.terminate()
        began = time.monotonic()
        assert daemon.wait(20) == 0
        assert time.monotonic() - began < 5
    finally:
        place.redis.process.send_signal(signal.SIGCONT)
        daemon.kill()
        daemon.wait()
    log = daemon.stderr.read().decode()
    assert "rspamd rule=rspamd outcome=published version=1" in log
    # Said by each configuration's handle, not by each look.
    assert 1 <= log.count("lacks digest") <= 2, log


# ---- the trainer's child ----

def training_child(daemon):
    """The process that trains, once it has confined itself, and stops it."""
    def found():
        for task in pathlib.Path(f"/proc/{daemon.pid}/task").iterdir():
            for number in (task / "children").read_text().split():
                child = pathlib.Path("/proc", number)
                if b"--rspamd-trainer-child" not in (
                        child / "cmdline").read_bytes():
                    continue
                if "Seccomp:\t2" in (child / "status").read_text():
                    os.kill(int(number), signal.SIGSTOP)
                    return int(number)
        return None
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if number := found():
                return number
        except OSError:
            pass
        time.sleep(0.002)
    raise AssertionError("no child trained")


@pytest.fixture
def training_daemon(place, vectors):
    """A daemon that trains on so much that it can be seen at it."""
    text = place.config.read_text().replace("seed = 1",
                                            "seed = 1\n watch_interval = 1s")
    place.config.write_text(text)
    place.add_profile(0)
    place.add_vectors(0, vectors)
    daemon = place.neurald.start(
        "--config", place.config, "serve", "--listen",
        f"127.0.0.1:{free_port()}", stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE)
    yield daemon
    daemon.kill()
    daemon.wait()


def test_the_daemon_trains_in_a_confined_child_that_may_die(place,
                                                            training_daemon):
    child = training_child(training_daemon)
    status = pathlib.Path(f"/proc/{child}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert len(os.listdir(f"/proc/{child}/fd")) == 3
    limits = pathlib.Path(f"/proc/{child}/limits").read_text()
    assert re.search(r"Max data size +2147483648", limits)
    assert re.search(r"Max cpu time +1800", limits)
    os.kill(child, signal.SIGKILL)
    # The failure is recorded, and the next look tries again.
    wait_for(lambda: place.live_version() == 1, "the network", 60)
    training_daemon.terminate()
    log = training_daemon.communicate(timeout=20)[1].decode()
    assert re.search("warning.*rule=rspamd outcome=failed.*signal 9", log), log
    assert "outcome=published version=1" in log


def test_the_daemon_stops_in_mid_training(place, training_daemon):
    child = training_child(training_daemon)
    began = time.monotonic()
    training_daemon.terminate()
    assert training_daemon.wait(20) == 0
    assert time.monotonic() - began < 5
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert place.live_version() == 0
    assert place.sync()["outcome"] == "published"  # no lease is left
