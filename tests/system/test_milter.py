# SPDX-License-Identifier: Apache-2.0
"""The milter with a real Postfix: every message is delivered once, whatever
happens to the daemon behind it.

NEURALD_MILTER_MESSAGES is how many messages a test sends (100; the issue's
figure is 2,000), NEURALD_CORPUS a folder with spam/ and ham/ to take them from
(else they are made up).
"""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import smtplib
import sqlite3
import subprocess
import threading
import time

import pytest

from conftest import make_mail
from daemon import Daemon, free_port
from postfix import PATIENCE, Postfix, header_of

COUNT = int(os.environ.get("NEURALD_MILTER_MESSAGES", "100"))
CORPUS = os.environ.get("NEURALD_CORPUS")
VERDICT = re.compile(r"(spam|ham|unsure), probability=\d\.\d{5}, ")

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix starts as root"),
    pytest.mark.skipif(shutil.which("postfix") is None,
                       reason="Postfix is not installed"),
]


def from_corpus(count):
    """Messages without what mbox and filters added, with lines that SMTP
    takes; a name for each."""
    paths = sorted(path for label in ("spam", "ham")
                   for path in (pathlib.Path(CORPUS) / label).iterdir())
    step = max(1, len(paths) // count)
    for path in paths[::step][:count]:
        lines = path.read_bytes().splitlines()
        if lines and lines[0].startswith(b"From "):
            lines = lines[1:]
        yield f"{path.parent.name}-{path.name}", b"\r\n".join(lines) + b"\r\n"


def messages(count=COUNT, start=1000):
    if CORPUS:
        return list(from_corpus(count))
    pairs = [(f"{label}-{number}", make_mail(label, number))
             for number in range(start, start + count // 2)
             for label in ("spam", "ham")]
    return [(name, data.replace(b"\n", b"\r\n")) for name, data in pairs]


class Mill(Daemon):
    """A daemon that is a milter, too."""

    def __init__(self, neurald, folder, *arguments, port=None, **options):
        self.milter_port = port or free_port()
        super().__init__(neurald, folder, "--milter",
                         f"inet:{self.milter_port}@127.0.0.1", *arguments,
                         **options)

    @property
    def milter(self):
        return f"inet:127.0.0.1:{self.milter_port}"

    def worker(self):
        """The worker's process id, once it has one."""
        return self.child("--milter-worker")


@pytest.fixture(scope="module")
def running_postfix():
    """One for all tests, since it takes seconds to start and to stop."""
    port = free_port()
    with Postfix(f"inet:127.0.0.1:{port}") as running:
        running.milter_port = port
        yield running


@pytest.fixture
def postfix(running_postfix):
    running_postfix.empty()
    return running_postfix


@pytest.fixture
def run_mill(trained, tmp_path, postfix, configured):
    """Runs a daemon with a model beside that Postfix, with this
    configuration."""
    @contextlib.contextmanager
    def run(text="", folder=tmp_path):
        before = ("--config", configured(text)) if text else ()
        with Mill(trained, folder, port=postfix.milter_port,
                  before=before) as running:
            running.wait_for_model()
            yield running
    return run


@pytest.fixture
def mill(run_mill):
    with run_mill() as running:
        yield running


def send(postfix, pairs, **options):
    """Sends, waits, and answers the files; all of it in time."""
    taken = postfix.send(pairs, **options)
    files = postfix.wait_for([name for name, _ in pairs])
    for name, path in files.items():
        assert path.stat().st_mtime - taken[name] < PATIENCE
    return files


def assert_verdicts(files, least_right=0.9):
    """One header each, and most of them right where the name tells."""
    right = 0
    for name, path in files.items():
        values = header_of(path)
        assert len(values) == 1, (name, values)
        assert VERDICT.match(values[0]), values[0]
        right += values[0].startswith(name.split("-")[0] + ",")
    assert CORPUS or right >= least_right * len(files), right


def test_each_message_is_delivered_once_with_its_header(mill, postfix):
    pairs = messages()
    files = send(postfix, pairs)
    assert_verdicts(files)
    assert mill.metric("neurald_milter_messages_total") == len(pairs)
    assert mill.metric("neurald_milter_messages_total", result="failed") == 0
    assert mill.metric("neurald_milter_starts_total") == 1
    log = mill.log.read_text()
    queue_id = re.search(r"milter: (\w+): verdict=\w+ .*reason=ok", log)[1]
    assert f"{queue_id}: message-id=" in postfix.log


def test_the_verdict_is_that_of_the_delivered_message(mill, postfix, trained):
    """What is learned from a mailbox fits what is seen at the door."""
    files = send(postfix, messages(20))
    for path in files.values():
        probability = re.search(r"probability=([0-9.]+)", header_of(path)[0])[1]
        later = mill.score(path.read_bytes())
        assert abs(later["probability"] - float(probability)) < 0.00002


def test_forged_headers_are_removed(mill, postfix):
    forged = (b"X-Neurald: ham, probability=0.00000\r\n"
              b"x-neurald : ham\r\nX-NEURALD:\r\n ham\r\n")
    pairs = [(name, forged + data + b"X-Neurald: in the body\r\n")
             for name, data in messages(10)]
    files = send(postfix, pairs)
    assert_verdicts(files)
    for path in files.values():
        text = path.read_bytes()
        assert text.lower().count(b"x-neurald") == 2
        assert text.endswith(b"X-Neurald: in the body\n")
    mill.wait_until(lambda: mill.metric("neurald_milter_events_total",
                                        event="forged") == 30)


def test_spam_is_tagged_or_held(run_mill, postfix):
    text = """milter {
        header = "X-Verdict"
        tag = 0.5
        tag_subject = "[SPAM] "
        tag_header = "X-Tagged: yes"
        quarantine = 0.5
    }"""
    name, data = messages(2)[0]
    with run_mill(text) as mill:
        pairs = [(name, b"X-Tagged: no\r\n" + data), messages(2)[1]]
        postfix.send(pairs)
        postfix.wait_until(lambda: len(postfix.queued()) == 1 and
                           len(postfix.delivered()) == 1)
        assert '"queue_name": "hold"' in postfix.queued()[0]
        postfix.run("postsuper", "-H", "ALL")
        postfix.run("postqueue", "-f")
        files = postfix.wait_for([name for name, _ in pairs])
        assert header_of(files[name], "X-Tagged") == ["yes"]
        assert header_of(files[name], "X-Verdict")[0].startswith("spam, ")
        assert header_of(files[name], "Subject")[0].startswith("[SPAM] ")
        other = files[pairs[1][0]]
        assert header_of(other, "X-Tagged") == []
        assert header_of(other, "X-Verdict")[0].startswith("ham, ")
        assert mill.metric("neurald_milter_events_total", event="tagged") == 1


def test_a_rule_that_observes_changes_nothing_but_the_header(run_mill,
                                                             postfix):
    with run_mill("""rule default { mode = observe }
            milter { tag = 0 tag_subject = "[SPAM] " quarantine = 0 }"""):
        files = send(postfix, messages(4))
        assert_verdicts(files)
        for path in files.values():
            assert "weight=0.00" in header_of(path)[0]
            assert "[SPAM]" not in header_of(path, "Subject")[0]


def test_a_message_scored_then_learned_is_one_sample(run_mill, postfix,
                                                     trained):
    """Autolearn takes it at the door; its reader knows better."""
    text = """trusted_headers = {"X-Spam-Status filter.example.org"}
        rule default { autolearn = true train_interval = 1h }"""
    name, data = messages(2)[1]
    data = (b"X-Spam-Checker-Version: SpamAssassin 4.0 on filter.example.org"
            b"\r\nX-Spam-Status: Yes, score=12.0 required=5.0 tests=BAYES_99"
            b"\r\n" + data)
    with run_mill(text) as mill:
        before = mill.get("/v1/status").json["rules"][0]
        files = send(postfix, [(name, data)])
        mill.wait_until(lambda: mill.metric("neurald_autolearn_total",
                                            result="spam") == 1)
        done = trained.ok(
            "--server", f"unix:{mill.socket}", "--token-file", mill.tokens,
            "learn", "--ham", files[name], "--json")
        assert done.json["relabelled"] == 1, done.text
        after = mill.learn(files[name].read_bytes(), "ham", "&source=user")
        assert after.json["outcome"] == "duplicate"
        assert after.json["ham"] == before["ham"] + 1
        assert after.json["spam"] == before["spam"]


def test_lessons_that_wait_for_the_store_do_not_hold_up_the_end(
        run_mill, postfix, trained):
    """Autolearn waits behind somebody else's transaction."""
    text = """trusted_headers = {"X-Spam-Status filter.example.org"}
        store_timeout = 20s
        rule default { autolearn = true train_interval = 1h }"""
    _, data = messages(2)[1]
    data = (b"X-Spam-Checker-Version: SpamAssassin 4.0 on filter.example.org"
            b"\r\nX-Spam-Status: Yes, score=12.0 required=5.0 tests=BAYES_99"
            b"\r\n" + data)
    with run_mill(text) as mill:
        with sqlite3.connect(trained.store, isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            send(postfix, [("spam-1", data)])
            assert mill.stop() < 5
            other.execute("ROLLBACK")


def test_mail_of_own_users_is_not_autolearned(trained, tmp_path, configured):
    """What Postfix says of a login, said here by its macro."""
    path = configured("""trusted_headers = {"X-Spam-Status filter.example.org"}
        rule default { autolearn = true }
        rule out { settings = "outbound" }""")
    _, data = messages(2)[0]
    data = (b"X-Spam-Checker-Version: SpamAssassin 4.0 on filter.example.org"
            b"\r\nX-Spam-Status: Yes, score=12.0 required=5.0 tests=BAYES_99"
            b"\r\n" + data)
    macros = "milter_macro_defaults = auth_authen=ann\n" \
             "milter_mail_macros = {auth_authen}\n"
    with Mill(trained, tmp_path, before=("--config", path)) as mill, \
            Postfix(mill.milter, macros) as postfix:
        files = send(postfix, [("spam-1", data)])
        # The rule for outbound mail has learned nothing.
        assert header_of(files["spam-1"])[0] == \
            'unsure, probability=0.50000, generation=0, reason="no model"'
        assert mill.metric("neurald_autolearn_total") == 0
        assert mill.metric("neurald_milter_messages_total",
                           result="no_model") == 1


def test_doctor_asks_the_real_postconf(neurald, postfix, configured):
    """MAIL_CONFIG is Postfix's own way to name another configuration."""
    path = configured(f"""milter {{
        address = "inet:{postfix.milter_port}@127.0.0.1" }}""")
    neurald.ok("learn", "--spam", "-", data=make_mail("spam", 1))

    def findings():
        done = neurald.run("--config", path, "doctor", "--json")
        return [(line["result"], line["text"]) for line in done.lines
                if line["check"] == "postfix"]
    neurald.environment["MAIL_CONFIG"] = str(postfix.folder / "etc")
    assert [result for result, _ in findings()] == ["ok"]
    other = postfix.folder / "other"
    other.mkdir(exist_ok=True)
    shutil.copy(postfix.folder / "etc/master.cf", other)
    (other / "main.cf").write_text(
        f"smtpd_milters = inet:localhost:{postfix.milter_port}\n")
    neurald.environment["MAIL_CONFIG"] = str(other)
    told = findings()
    assert [result for result, _ in told] == ["warn", "warn"]
    assert "default_action is tempfail" in told[0][1]
    assert "content_timeout is 300s" in told[1][1]
    (other / "main.cf").write_text("")
    assert "does not ask" in findings()[0][1]


# ---- what goes wrong ----

def during(postfix, pairs, accident, **options):
    """Sends while accident happens in the midst of it."""
    timer = threading.Timer(0.5, accident)
    timer.start()
    try:
        return send(postfix, pairs, pause=0.02, **options)
    finally:
        timer.join()


def at_most_one_header(files):
    """Answers how many have a verdict, no opinion, no header at all."""
    seen = {"verdict": 0, "unsure": 0, "none": 0}
    for path in files.values():
        values = header_of(path)
        assert len(values) <= 1
        seen["none" if not values else "unsure"
             if "reason=" in values[0] else "verdict"] += 1
    return seen


def test_mail_passes_when_the_daemon_is_killed(mill, postfix, run_mill,
                                               tmp_path):
    worker = mill.worker()
    files = during(postfix, messages(), mill.process.kill)
    seen = at_most_one_header(files)
    assert seen["none"] > 0
    # The worker has gone by itself, and the next daemon takes the port.
    mill.process.wait()
    deadline = time.monotonic() + PATIENCE
    while pathlib.Path(f"/proc/{worker}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    other = tmp_path / "other"
    other.mkdir()
    postfix.empty()
    with run_mill(folder=other) as again:
        assert_verdicts(send(postfix, messages(10, start=5000)))
        assert again.metric("neurald_milter_messages_total") == 10


def test_mail_passes_when_the_daemon_is_stopped(mill, postfix):
    files = during(postfix, messages(), mill.process.terminate)
    assert at_most_one_header(files)["none"] > 0
    assert mill.process.wait(PATIENCE) == 0


def test_mail_passes_while_the_daemon_hangs(run_mill, postfix):
    with run_mill("milter { deadline = 1s }") as mill:
        hang = lambda: mill.process.send_signal(signal.SIGSTOP)
        try:
            files = during(postfix, messages(), hang, connections=20)
        finally:
            mill.process.send_signal(signal.SIGCONT)
        seen = at_most_one_header(files)
        assert seen["unsure"] > 0 and seen["none"] == 0
        mill.wait_until(lambda: mill.metric(
            "neurald_milter_events_total", event="late") == seen["unsure"])
        assert "reason=late" in mill.log.read_text()


def test_mail_passes_when_the_worker_dies(mill, postfix):
    kill = lambda: os.kill(mill.worker(), signal.SIGKILL)
    at_most_one_header(during(postfix, messages(), kill))
    # Postfix asks a milter that it lost in mid-session no more in that session.
    postfix.empty()
    assert_verdicts(send(postfix, messages(10)))
    assert mill.metric("neurald_milter_starts_total") == 2


def test_mail_passes_while_the_worker_hangs(mill, postfix):
    """Postfix's own patience is what packaging/postfix sets."""
    worker = mill.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        files = send(postfix, messages(20), connections=20)
    finally:
        os.kill(worker, signal.SIGCONT)
    assert at_most_one_header(files)["none"] == len(files)


def test_mail_is_scored_while_the_store_is_away(mill, postfix, trained):
    def take_away():
        for path in trained.store.parent.iterdir():
            path.rename(path.with_name("away-" + path.name))
    files = during(postfix, messages(), take_away)
    assert_verdicts(files)
    assert mill.metric("neurald_milter_messages_total",
                       result="failed") == 0


def test_mail_is_scored_while_the_trainer_hangs(mill, postfix, trained):
    mill.post("/v1/train?force=1", token="admin-token-of-the-test")
    child = []

    def find():
        done = subprocess.run(
            ["pgrep", "-P", str(mill.process.pid), "-f", "--",
             "--trainer-child"], capture_output=True, text=True, check=False)
        child[:] = done.stdout.split()
        if child:
            try:
                os.kill(int(child[0]), signal.SIGSTOP)
            except ProcessLookupError:
                child.clear()
        return bool(child)
    deadline = time.monotonic() + PATIENCE
    while not find():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    stat = pathlib.Path(f"/proc/{child[0]}/stat")
    mill.wait_until(lambda: stat.read_text().rsplit(") ", 1)[1][0] == "T")
    # The daemon ends a child that makes no progress, but not so soon.
    files = send(postfix, messages())
    assert_verdicts(files)
    assert mill.metric("neurald_milter_messages_total") == len(files)


def test_a_reload_leaves_the_worker_alone(run_mill, postfix, configured):
    with run_mill("milter { header = \"X-First\" }") as mill:
        worker = mill.worker()
        files = send(postfix, messages(2))
        assert all(header_of(path, "X-First") for path in files.values())
        configured("milter { header = \"X-Second\" }")
        mill.process.send_signal(signal.SIGHUP)
        mill.wait_until(lambda: "reloaded" in mill.log.read_text())
        with smtplib.SMTP("127.0.0.1", postfix.port) as smtp:
            postfix.send_one(smtp, "other", make_mail("ham", 1))
        postfix.wait_until(lambda: "other" in postfix.delivered())
        assert header_of(postfix.delivered()["other"][0], "X-Second")
        assert mill.worker() == worker


def test_a_unix_socket_serves_too(trained, tmp_path, configured):
    with Postfix("") as postfix:
        place = postfix.folder / "queue/neurald"
        place.mkdir()
        socket = place / "milter"
        (postfix.folder / "etc/main.cf").open("a").write(
            "smtpd_milters = unix:neurald/milter\n"
            "milter_default_action = accept\n")
        postfix.run("postfix", "reload")
        path = configured(f"""milter {{
            address = "unix:{socket}"
            socket_mode = "0666"
        }}""")
        with Daemon(trained, tmp_path, before=("--config", path)) as daemon:
            daemon.wait_for_model()
            assert socket.stat().st_mode & 0o777 == 0o666
            assert_verdicts(send(postfix, messages(4)))


def test_beyond_max_memory_messages_pass_unread(run_mill, postfix):
    name, data = messages(2)[0]
    with run_mill("milter { max_memory = 1MiB }") as mill:
        files = send(postfix, [("spam-large", data + b"word word\r\n" * 60000),
                               (name, data)])
        assert 'reason="crowded: ' in header_of(files["spam-large"])[0]
        assert header_of(files[name])[0].startswith("spam, ")
        mill.wait_until(lambda: mill.metric("neurald_milter_events_total",
                                            event="crowded") == 1)


@pytest.mark.parametrize("text, words", [
    ('header = "X Y"', "header"),
    ('header = ""', "header"),
    ('tag_header = "no value:"', "tag_header"),
    ('tag_header = "X-Tag"', "tag_header"),
    ('socket_mode = "rw"', "socket_mode"),
    ('address = "127.0.0.1:25"', "milter address"),
    ('address = "unix:relative"', "milter address"),
    ("tag = 1.5", "tag"),
    ("deadline = 2m", "deadline"),
])
def test_a_wrong_setting_is_told(neurald, configured, text, words):
    path = configured(f"milter {{ {text} }}")
    done = neurald.run("--config", path, "serve", "--test-config")
    assert done.status in (64, 78)
    assert words in done.err
