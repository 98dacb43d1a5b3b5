# SPDX-License-Identifier: Apache-2.0
"""A whole store copied by the program, and what doctor --gc finds in Redis."""
import re
import shutil
import socket
import subprocess
import time

import pytest

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None,
                                reason="there is no redis-server")


class Redis:
    """A server in a folder of its own, on a port that was free."""

    def __init__(self, folder):
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}"
        # pylint: disable-next=consider-using-with
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--save", "", "--dir", folder], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while subprocess.run(["redis-cli", "-p", str(self.port), "ping"],
                             capture_output=True, check=False).stdout \
                != b"PONG\n":
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words],
                              capture_output=True, check=True,
                              text=True).stdout.strip()

    def stop(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def redis(tmp_path):
    server = Redis(tmp_path / "redis")
    yield server
    server.stop()


def scores(neurald, store, path):
    return neurald.ok("score", "--json", "--store", store, path).json


def test_a_store_is_copied_to_redis_and_back(trained, redis, mail, tmp_path):
    trained.ok("forget", mail("spam", 3))
    trained.ok("relabel", "--to", "ham", mail("spam", 4))
    there = trained.ok("store", "copy", "--json", f"sqlite:{trained.store}",
                       redis.url).json
    assert there["same"] is True
    assert there["samples"] == 159 and there["tombstones"] == 1
    assert there["models"] == 1 and there["journal"] == 1
    copy = f"sqlite:{tmp_path}/copy.db"
    back = trained.ok("store", "copy", "--json", redis.url, copy).json
    assert back == there
    message = mail("spam", 2000)
    own = scores(trained, f"sqlite:{trained.store}", message)
    assert scores(trained, redis.url, message) == own
    assert scores(trained, copy, message) == own
    assert own["generation"] > 0
    assert "same on both sides" in trained.ok(
        "store", "copy", "--resume", redis.url, copy).text
    # what was forgotten stays forgotten, what is known is known
    learned = trained.ok("learn", "--json", "--store", copy,
                         "--spam", mail("spam", 7)).text
    assert '"duplicate"' in learned or '"duplicates":1' in learned


def test_a_target_with_something_in_it_is_refused(trained, redis, neurald):
    source = f"sqlite:{trained.store}"
    trained.ok("store", "copy", source, redis.url)
    neurald.fails(64, "store", "copy", source, redis.url,
                  words=["not empty", "--resume"])
    neurald.fails(64, "store", "copy", source, source, words="itself")
    neurald.fails(64, "store", "copy", source, words="FROM TO")
    neurald.fails(66, "store", "copy", "sqlite:/nonexistent/x.db", redis.url)


def test_gc_lists_and_only_with_drop_drops(trained, redis):
    trained.ok("store", "copy", f"sqlite:{trained.store}", redis.url)
    assert trained.ok("doctor", "--gc", "--store", redis.url).text == ""
    redis.ask("SET", "{neurald:gone}:names", "left behind")
    redis.ask("SET", "{neurald:default}:s:gone:samples", "left behind")
    redis.ask("SET", "not-ours", "kept")
    keys = int(redis.ask("DBSIZE"))
    listed = trained.ok("doctor", "--gc", "--json", "--store",
                        redis.url).lines
    assert sorted(line["found"].split()[1] for line in listed) == [
        "{neurald:default}:s:gone:samples:", "{neurald:gone}:names:"]
    assert all(line["dropped"] is False for line in listed)
    assert int(redis.ask("DBSIZE")) == keys
    assert len(trained.ok("doctor", "--gc", "--drop", "--store",
                          redis.url).text.splitlines()) == 2
    assert int(redis.ask("DBSIZE")) == keys - 2
    assert redis.ask("GET", "not-ours") == "kept"
    assert trained.ok("doctor", "--gc", "--store", redis.url).text == ""
    trained.fails(64, "doctor", "--drop", words="--gc")


def test_a_store_that_redis_may_evict_fails_doctor(trained, redis):
    trained.ok("store", "copy", f"sqlite:{trained.store}", redis.url)
    assert trained.run("doctor", "--store", redis.url).status == 0
    redis.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    found = trained.run("doctor", "--json", "--store", redis.url)
    assert found.status == 69
    failed = [line for line in found.lines if line["result"] == "fail"]
    assert [line["check"] for line in failed] == ["eviction"]
    assert "noeviction" in failed[0]["remedy"]


def test_doctor_says_that_redis_is_full_or_nearly(neurald, redis, corpus):
    neurald.ok("learn", "--store", redis.url, "--spam", corpus / "spam",
               "--ham", corpus / "ham")
    redis.ask("SETRANGE", "not-ours", "50000000", "x")  # clients take little
    used = int(re.search(r"used_memory:(\d+)",
                         redis.ask("INFO", "memory")).group(1))

    def doctor(share, status):
        redis.ask("CONFIG", "SET", "maxmemory", str(int(used * share)))
        told = neurald.run("doctor", "--json", "--store", redis.url)
        assert told.status == status, told.text
        return {line["check"]: line for line in told.lines
                if line["result"] != "ok" and line["check"] != "model"}

    assert not doctor(2, 0)
    assert doctor(1 / 0.95, 0)["free space"]["result"] == "warn"
    told = doctor(0.5, 69)
    assert told["free space"]["result"] == told["writing"]["result"] == "fail"
    assert "maxmemory" in told["free space"]["remedy"]
    assert "reading still works" in told["writing"]["text"]
    assert "script" not in told["writing"]["text"]
    neurald.ok("status", "--store", redis.url)
