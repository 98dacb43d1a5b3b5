# SPDX-License-Identifier: Apache-2.0
"""--server: the same output and exit statuses as without a daemon."""
import json
import re
import shutil

import pytest

from conftest import Neurald, make_mail, unprivileged
from daemon import ADMIN, LEARN, READ, Daemon


class Pair:
    """One store asked directly, its twin asked through a daemon."""

    def __init__(self, local, twin, daemon, over):
        self.local = local
        self.twin = twin
        self.daemon = daemon
        self.over = over

    def remote(self, *arguments, **options):
        return self.twin.run("--server", self.over, "--token-file",
                             self.daemon.tokens, *arguments, **options)

    def same(self, *arguments, status=0, changing=(), **options):
        """Runs both, compares, and answers the remote result."""
        here = self.local.run(*arguments, **options)
        there = self.remote(*arguments, **options)
        assert here.status == status, (arguments, here.err)
        assert there.status == status, (arguments, there.err)
        assert plain(there.text, changing) == plain(here.text, changing)
        return there


def plain(text, changing):
    """Without what differs between two runs of the same."""
    for pattern in changing:
        text = re.sub(pattern, "#", text)
    return text


@pytest.fixture(params=["http", "unix"])
def pair(request, trained_home, tmp_path):
    local = Neurald(tmp_path / "local")
    twin = Neurald(tmp_path / "twin")
    for one in (local, twin):
        shutil.copytree(trained_home, one.home)
    with Daemon(twin, tmp_path) as daemon:
        daemon.wait_for_model()
        over = f"http://127.0.0.1:{daemon.port}" if request.param == "http" \
            else f"unix:{daemon.socket}"
        yield Pair(local, twin, daemon, over)


# Digits that two trainings and two processes do not share.
TIMES = (r"20\d\d-\d\d-\d\dT[\d:]+Z", r'_ms":\d+', r"\d+ bytes",
         r'(store|model|payload)_bytes":\d+', r"store \S+", r'"store":"[^"]*"')


def test_score_and_explain(pair, mail, corpus):
    message = mail("spam", 3000)
    pair.same("score", message)
    pair.same("score", "--json", message, corpus / "ham")
    pair.same("score", "--exit-code", mail("ham", 3000), status=1)
    pair.same("score", "--headers", message)
    pair.same("score", data=make_mail("spam", 3001))
    pair.same("explain", "--limit", 7, message)
    pair.same("explain", "--json", message)
    pair.same("score", "/nowhere", status=66)


def test_a_scan_file_goes_along(pair, mail, tmp_path):
    message = mail("spam", 3100)
    scans = tmp_path / "scans.jsonl"
    scans.write_text(json.dumps({
        "id": "spam-3100", "score": 7.5, "required_score": 5, "symbols": {
            "A": 1.5, "B": 0, "C": {"score": -2}}}) + "\n")
    pair.same("score", "--scan", scans, "--json", message)
    pair.same("learn", "--scan", scans, "--spam", message)
    here, there = (one.ok("status", "--json").json
                   for one in (pair.local, pair.twin))
    for member in ("spam", "ham", "registry_length", "payload_bytes"):
        assert there[member] == here[member]


def test_learn_forget_and_relabel(pair, mail):
    one, two = mail("spam", 3200), mail("ham", 3200)
    pair.same("learn", "--spam", one, "--ham", two)
    pair.same("learn", "--json", "--ham", one)
    pair.same("learn", "--ham", one)
    pair.same("learn", "--spam", one, "--source", "api")
    pair.same("relabel", "--to", "spam", one, mail("spam", 3201))
    pair.same("relabel", "--json", "--to", "ham", one, "--dry-run")
    pair.same("relabel", "--to", "ham", "--source", "trap")
    pair.same("forget", one, mail("spam", 3202))
    pair.same("forget", "--json", two)
    pair.same("forget", "--label", "spam", "--dry-run")
    pair.same("forget", "--source", "user", "--since", "2d", "--json")
    pair.same("learn", "--spam", data=make_mail("spam", 3203))


def test_train_and_status(pair):
    changing = TIMES + (r"generation \d+", r'"generation":\d+', r"in [\d.]+ s",
                        r'"seconds":[\d.]+', r'"seed":\d+', r"\d+\.\d+",
                        r'"(live_)?log_loss":[^,]+',
                        r"(promoted|rejected).*", r"by \S+")
    pair.same("train", changing=changing)
    done = pair.remote("train", "--json")
    assert done.status == 0
    assert set(done.json) == set(pair.local.ok("train", "--json").json)
    assert done.json["decision"] in ("promoted", "rejected")
    told = pair.same("train", "--if-due", "default")
    assert "no training is due" in told.err
    pair.daemon.wait_until(lambda: "trained" in pair.remote("status").text)
    # the daemon says that it is a host, a command that ends does not
    pair.same("status", changing=changing + (
        r"(?:  host .*\n)*  trained .*\n",))
    assert set(pair.remote("status", "--json").json) == \
        set(pair.local.ok("status", "--json").json)


def test_there_is_nothing_to_train(neurald, tmp_path):
    with Daemon(neurald, tmp_path) as daemon:
        daemon.wait_until_ready()
        neurald.fails(1, "--server", f"unix:{daemon.socket}", "--token-file",
                      daemon.tokens, "train", words="spam")
        done = neurald.fails(1, "--server", f"unix:{daemon.socket}", "explain",
                             data=make_mail("spam", 1), words="no model")
        assert done.text == ""


def test_tokens_of_too_small_a_role_are_refused(pair, tmp_path, mail):
    message = mail("spam", 3300)
    server = ("--server", pair.over)
    pair.twin.fails(77, *server, "learn", "--spam", message, words="token")
    weak = tmp_path / "weak"
    weak.write_text(f"learn {LEARN}\n")
    weak.chmod(0o600)
    pair.twin.ok(*server, "--token-file", weak, "learn", "--spam", message)
    pair.twin.fails(77, *server, "--token-file", weak, "train", words="admin")
    alone = tmp_path / "alone"
    alone.write_text(ADMIN + "\n")
    alone.chmod(0o640)
    pair.twin.ok(*server, "--token-file", alone, "forget", message)
    wrong = tmp_path / "wrong"
    wrong.write_text(READ + "\n")
    wrong.chmod(0o600)
    pair.twin.fails(77, *server, "--token-file", wrong, "forget", message)
    pair.twin.ok(*server, "score", message)


def test_a_caller_who_may_not_read_the_store_is_served(pair, mail, tmp_path):
    """A sieve pipe runs as another user."""
    someone = unprivileged(tmp_path / "x")
    if not someone:
        pytest.skip("only root can become another user")
    message = mail("spam", 3400).read_bytes()
    pair.twin.home.chmod(0o700)
    tokens = tmp_path / "theirs"
    tokens.write_text(f"learn {LEARN}\n")
    tokens.chmod(0o600)
    shutil.chown(tokens, 65534, 65534)
    server = ("--server", pair.over, "--token-file", tokens)
    done = pair.local.run(*server, "learn", "--spam", data=message, cwd="/",
                          **someone)
    assert done.status == 0, done.err
    assert "+1 spam sample" in done.text
    done = pair.local.run("score", data=message, cwd="/", **someone)
    assert done.status != 0


def test_where_nobody_is_the_status_says_so(neurald, mail, tmp_path):
    message = mail("spam", 1)
    nobody = ("--server", f"unix:{tmp_path}/nobody")
    neurald.fails(69, *nobody, "score", message, words="nobody")
    neurald.fails(69, *nobody, "learn", "--spam", message)
    neurald.fails(69, *nobody, "status")
    passed = neurald.ok(*nobody, "score", "--headers", message)
    assert b"X-Neurald: unsure" in passed.out
    assert passed.out.endswith(message.read_bytes()[-50:])
    for url in ("ftp://x", "unix:relative", "localhost:80", "http://", ""):
        neurald.fails(64, "--server", url, "status", words="is wanted")
    neurald.fails(64, *nobody, "doctor", words="--server is for")
    neurald.fails(64, *nobody, "model", "list", words="--server is for")
