# SPDX-License-Identifier: Apache-2.0
"""The rspamd plugin, in Debian's rspamd, beside `neurald serve`: verdicts within
a deadline, labels with the message's identity, and nothing learned from what we
said ourselves."""
import http.client
import itertools
import json
import shutil
import socket
import subprocess
import time

import pytest

from conftest import ROOT, Neurald
from rspamd_peer import Redis, Rspamd, free_port, wait_for
from test_rspamd import letter

TOKEN = "a-token-for-learning-0123456789"


class Place:
    """redis-server and neurald serve; rspamd with the plugin."""

    def __init__(self, folder):
        for name in ("redis", "rspamd", "home"):
            (folder / name).mkdir()
        self.folder = folder
        self.port = free_port()
        self.neurald = Neurald(folder / "home")
        self.tokens = folder / "tokens"
        self.tokens.write_text(f"learn {TOKEN}\n")
        self.tokens.chmod(0o640)
        self.config = folder / "neurald.conf"
        self.config.write_text("rule default { families = symbols\n"
                               "target_fpr = 0.05\n target_fnr = 0.05\n"
                               "watch_interval = 1s }\n")
        self.daemon = self.serve()
        self.redis = Redis(folder / "redis")
        self.rspamd = Rspamd(folder / "rspamd", self.redis, files={
            "neurald.conf": f'url = "http://127.0.0.1:{self.port}";\n'
                            f'token_file = "{self.tokens}";\n'
                            "timeout = 3s; rest = 0.1s; autolearn = true;\n"
                            "spam_score = 15; ham_score = -15;"})

    def serve(self):
        daemon = self.neurald.start(
            "--config", self.config, "serve", "--listen",
            f"127.0.0.1:{self.port}", "--token-file", self.tokens,
            stdout=subprocess.DEVNULL, stderr=open(self.folder / "log", "ab"))
        wait_for(lambda: self.ask("GET", "/healthz") is not None, "neurald")
        return daemon

    def ask(self, method, path, body=b"", kind="message/rfc822"):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            link.request(method, path, body, {
                "Content-Type": kind, "Authorization": f"Bearer {TOKEN}"})
            return json.loads(link.getresponse().read())
        finally:
            link.close()

    def stop(self):
        self.rspamd.stop()
        self.redis.stop()
        self.daemon.kill()
        self.daemon.wait()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("plugin"))
    yield place
    place.stop()


def rules(place):
    return place.ask("GET", "/v1/status")["rules"][0]


def teach(place, count):
    """Labels of both kinds: a user's, and what rspamd is sure of."""
    for number in range(count):
        for label in ("spam", "ham"):
            headers = {"Neurald-Learn": label} if number % 2 else {}
            place.rspamd.scan(letter(label, number),
                              None if headers else label, **headers)


def counts(place):
    told = place.neurald.ok("--config", place.config, "status", "--json").lines
    return next(line for line in told if line.get("rule") == "default")


def test_labels_arrive_with_the_messages_identity(place):
    teach(place, 120)
    wait_for(lambda: counts(place)["spam"] + counts(place)["ham"] == 240,
             "the labels")
    # Known by the message itself: what the plugin worked out is its identity.
    told = place.ask("POST", "/v1/relabel?class=ham", letter("spam", 1))
    assert told["rules"][0]["relabelled"] == 1, told
    told = place.ask("POST", "/v1/relabel?class=spam", letter("spam", 1))
    assert told["rules"][0]["relabelled"] == 1, told
    told = place.ask("POST", "/v1/relabel?class=spam", letter("spam", 2))
    assert told["rules"][0]["absent"] == 0, told


def test_verdicts_are_inserted_with_weight_and_probability(place):
    place.neurald.ok("--config", place.config, "train")
    wait_for(lambda: place.ask("POST", "/v1/score", b'{"symbols": {"X": 1}}',
                               "application/json")["generation"] > 0,
             "the model")
    seen = set()
    for number in range(500, 520):
        for label in ("spam", "ham"):
            symbols = place.rspamd.scan(letter(label, number))["symbols"]
            ours = {name: symbol for name, symbol in symbols.items()
                    if name in ("NEURALD_SPAM", "NEURALD_HAM")}
            assert len(ours) <= 1
            for name, symbol in ours.items():
                probability = float(symbol["options"][0])
                assert 0 <= probability <= 1
                spam = name == "NEURALD_SPAM"
                assert (symbol["score"] > 0) == spam == (probability > 0.5)
                assert -1 <= symbol["score"] <= 3
                seen.add((name, label))
    assert ("NEURALD_SPAM", "spam") in seen and ("NEURALD_HAM", "ham") in seen


def test_our_own_symbols_are_not_learned(place):
    place.rspamd.scan(letter("spam", 900), "spam")
    names = place.neurald.run("--config", place.config, "explain", "--json",
                              "-", data=letter("spam", 900)).text
    assert "NEURALD" not in names
    registry = b"NEURALD_" in place.neurald.store.read_bytes()
    assert not registry


def rspamc(place, command, message):
    """rspamd's own client, and what it says."""
    return subprocess.run(
        ["rspamc", "-h", f"127.0.0.1:{place.rspamd.control_port}", command],
        input=message, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False).stdout.decode()


def outcome_of(place, message, label):
    """What relabelling it says: whether, and as what, neurald knows it."""
    told = place.ask("POST", f"/v1/relabel?class={label}", message)["rules"][0]
    return next(name for name in ("relabelled", "unchanged", "absent")
                if told[name])


def test_what_rspamc_learns_is_a_users_label(place):
    """Also what rspamd's Bayes filter has learned before, and as the other
    class; nothing that the scanner learns by itself counts as a user's."""
    message = letter("spam", 2001)
    before = counts(place)["sources"]["spam"]["user"]
    assert "success = true" in rspamc(place, "learn_spam", message)
    wait_for(lambda: counts(place)["sources"]["spam"]["user"] == before + 1,
             "the label")
    assert outcome_of(place, message, "spam") == "unchanged"
    rspamc(place, "learn_spam", message)  # again: Bayes refuses
    assert "success = true" in rspamc(place, "learn_ham", message)
    wait_for(lambda: counts(place)["sources"]["spam"]["user"] == before,
             "the other label")
    assert outcome_of(place, message, "ham") == "unchanged"


def test_a_large_message_is_learned_and_named_alike(place):
    message = letter("ham", 2002) + b"\r\n" + b"0123456789abcde\n" * 1250000
    assert "success = true" in rspamc(place, "learn_ham", message)
    wait_for(lambda: outcome_of(place, message, "ham") == "unchanged",
             "the label of 20 MB")


def test_a_label_that_is_lost_is_said(place):
    place.daemon.kill()
    place.daemon.wait()
    said = "as ham, which a user said"
    assert said not in place.rspamd.log
    assert "success = true" in rspamc(place, "learn_ham", letter("ham", 2003))
    place.daemon = place.serve()
    wait_for(lambda: said in place.rspamd.log, "the warning")


def test_what_is_shipped_passes_rspamds_check(tmp_path):
    """As it lies in packaging/, on Debian's configuration."""
    shutil.copytree(ROOT / "packaging/rspamd", tmp_path / "etc")
    (tmp_path / "etc/plugins.d").mkdir()
    shutil.move(tmp_path / "etc/neurald.lua", tmp_path / "etc/plugins.d")
    (tmp_path / "etc/override.d").mkdir()
    for name in ("fuzzy_check", "rbl"):  # which ask the DNS
        (tmp_path / f"etc/override.d/{name}.conf").write_text(
            "enabled = false;\n")
    told = subprocess.run(
        ["rspamadm", f"--var=LOCAL_CONFDIR={tmp_path}/etc", "configtest",
         "-s"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        text=True)
    assert told.returncode == 0 and "syntax OK" in told.stdout, told.stdout
    dump = subprocess.run(
        ["rspamadm", f"--var=LOCAL_CONFDIR={tmp_path}/etc", "configdump",
         "classifier", "neurald", "neural", "group"], stdout=subprocess.PIPE,
        check=True, text=True).stdout
    # One condition, ours: rspamd would call a second one, too.
    assert dump.count("learn_condition") == 1 and "neurald.learned" in dump
    assert "max_trains = 100000" in dump and "learn_timeout = 10" in dump


def test_a_daemon_that_is_away_or_hangs_stops_no_mail(place):
    place.daemon.kill()
    place.daemon.wait()
    began = time.monotonic()
    symbols = place.rspamd.scan(letter("spam", 501))["symbols"]
    assert time.monotonic() - began < 10
    assert symbols and not [name for name in symbols
                            if name in ("NEURALD_SPAM", "NEURALD_HAM")]
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        silent.bind(("127.0.0.1", place.port))
        silent.listen(16)
        began = time.monotonic()
        symbols = place.rspamd.scan(letter("spam", 502))["symbols"]
        assert time.monotonic() - began < 10
        assert symbols and "NEURALD_SPAM" not in symbols
    place.daemon = place.serve()
    numbers = itertools.count(503)  # of some the network is not sure
    wait_for(lambda: any(
        name.startswith("NEURALD_") for name in
        place.rspamd.scan(letter("spam", next(numbers)))["symbols"]),
             "verdicts to come back")


def test_the_plugins_identity_is_that_of_the_documentation(tmp_path):
    """Without rspamd's workers: the examples of docs/formats/identity.md."""
    source = (ROOT / "packaging/rspamd/neurald.lua").read_text()
    source = source.split("-- ---- what rspamd")[0] + "\n" + """
local H = "Date: Thu, 1 Jan 2026 10:00:00 +0000\\nFrom: Ann <ann@example.org>" ..
    "\\nSubject: Hello\\n\\tworld\\n"
print(identity("Message-ID: <1@example.org>\\n" .. H .. "\\nbody"))
print(identity(H .. "\\r\\none\\r\\ntwo\\r\\n\\r\\n"))
print(identity("Message-ID: < >\\n" .. H .. "\\r\\none\\r\\ntwo\\r\\n\\r\\n"))
"""
    path = tmp_path / "identity.lua"
    path.write_text(source)
    out = subprocess.run(["rspamadm", "lua", str(path)], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    assert out.split() == ["a270a6682bee0845797303c5e43ec98f",
                           "20de702e2aa3844b7e18a861caec2572",
                           "20de702e2aa3844b7e18a861caec2572"]
