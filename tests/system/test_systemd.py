# SPDX-License-Identifier: Apache-2.0
"""The packaged units under a real systemd, with all that they forbid."""
import json
import re
import shutil
import socket
import struct
import time

import pytest

from conftest import PROGRAM, ROOT, make_mail
from daemon import ADMIN, LEARN, Daemon, UnixConnection
from machine import Machine

CONFIGURATION = """store = "sqlite:/var/lib/neurald/neurald.db"
serve {
    token_file = /etc/neurald/tokens
    log = journal
    log_scores = true
}
milter {
    address = "inet:11381@127.0.0.1"
}
rule default {
    watch_interval = 1s
    seed = 1
}
"""
SERVER = ("--server", "http://127.0.0.1:11380", "--token-file",
          "/etc/neurald/tokens")


@pytest.fixture(scope="module")
def booted():
    machine = Machine()
    reason = machine.start()
    if reason is None:
        install(machine)
        yield machine
    machine.stop()
    if reason is not None:
        pytest.skip(reason)


def install(machine):
    """What a package would do."""
    root = machine.root
    shutil.copy(PROGRAM, root / "usr/bin/neurald")
    for unit in (ROOT / "packaging/systemd").iterdir():
        shutil.copy(unit, root / "etc/systemd/system")
    machine.run("useradd", "--system", "--home-dir", "/var/lib/neurald",
                "--shell", "/usr/sbin/nologin", "neurald")
    folder = root / "etc/neurald"
    folder.mkdir(exist_ok=True)
    (folder / "neurald.conf").write_text(CONFIGURATION)
    (folder / "tokens").write_text(f"learn {LEARN}\nadmin {ADMIN}\n")
    machine.run("chown", "neurald", "/etc/neurald/tokens")
    machine.run("chmod", "600", "/etc/neurald/tokens")
    machine.run("systemctl", "daemon-reload")


@pytest.fixture
def machine(booted):
    """With neither unit started, and no sample stored."""
    booted.run("systemctl", "stop", "neurald.socket", "neurald.service")
    booted.run("systemctl", "reset-failed")
    booted.run("rm", "-rf", "/var/lib/neurald")
    return booted


@pytest.fixture
def started(machine):
    """With the service started, which is to say that it told so."""
    said = machine.run("systemctl", "start", "neurald.service", check=False)
    assert shown(machine, "ActiveState") == "active", \
        said + machine.run("journalctl", "--no-pager")
    return machine


def shown(machine, name):
    """A property of the service."""
    return machine.run("systemctl", "show", "neurald.service", "--value",
                       "-p", name).strip()


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class There(Daemon):
    """The daemon in the machine, asked from within its network."""

    def __init__(self):
        self.port = 11380


def ask(machine, method, target, **options):
    with machine.network():
        return There().ask(method, target, **options)


def teach(machine):
    """Learns and trains over HTTP."""
    folder = machine.root / "tmp/mail"
    for label in ("spam", "ham"):
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(80):
            (folder / label / str(number)).write_bytes(
                make_mail(label, number))
    machine.run("neurald", "learn", *SERVER, "--spam", "/tmp/mail/spam",
                "--ham", "/tmp/mail/ham")
    return machine.run("neurald", "train", *SERVER)


def pass_through_milter(message):
    """Sends a message as a mail server does; answers the replies to its
    end."""
    head, _, body = message.replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    fields = [line.split(b": ", 1) for line in head.split(b"\r\n")]
    with socket.create_connection(("127.0.0.1", 11381), 30) as link:
        stream = link.makefile("rb")

        def send(command, data=b""):
            link.sendall(struct.pack(">I", 1 + len(data)) + command + data)

        def receive():
            length = struct.unpack(">I", stream.read(4))[0]
            return stream.read(length)

        send(b"O", struct.pack(">III", 6, 0x1ff, 0))  # all actions, all steps
        assert receive().startswith(b"O")
        for command, data in [
                (b"C", b"mx.example\0" + b"4" + struct.pack(">H", 25) +
                 b"192.0.2.1\0"), (b"H", b"mx.example\0"),
                (b"M", b"<a@mx.example>\0"), (b"R", b"<user@example.org>\0"),
                *((b"L", name + b"\0" + value + b"\0")
                  for name, value in fields), (b"N", b""), (b"B", body)]:
            send(command, data)
            assert receive() == b"c"
        send(b"E")
        replies = [receive()]
        while replies[-1][:1] not in b"acrdt":
            replies.append(receive())
        return replies


def test_all_parts_work_within_what_the_unit_forbids(started):
    """Store, trainer's child, milter's worker, tokens, and the journal."""
    assert "promoted as generation 1" in teach(started)
    with started.network():
        daemon = There()
        wait_until(lambda: daemon.get("/readyz").json["rules"][0]
                   ["generation"] == 1)
        verdict = daemon.score(make_mail("spam", 900))
        assert verdict["verdict"] == "spam"
        replies = pass_through_milter(make_mail("spam", 901))
    assert replies[-1][:1] in b"ac"
    assert any(reply.startswith(b"hX-Neurald\0spam, ") or
               reply.startswith(b"i") and b"X-Neurald\0spam, " in reply
               for reply in replies), replies
    process = shown(started, "MainPID")
    status = started.run("cat", f"/proc/{process}/status")
    assert re.search(r"^CapEff:\s+0+$", status, re.M)
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    assert re.search(r"^Seccomp:\s+2$", status, re.M)


def journal_of(machine):
    text = machine.run("journalctl", "-u", "neurald.service", "-o", "json",
                       "--no-pager")
    return [json.loads(line) for line in text.splitlines()]


def reload(machine):
    before = len(journal_of(machine))
    machine.run("systemctl", "reload", "neurald.service")
    wait_until(lambda: any("configuration reloaded" in entry["MESSAGE"]
                           for entry in journal_of(machine)[before:]))


def test_the_trainer_has_spare_time_within_the_unit(started):
    """Which takes system calls that the filter lets pass. With a share of 0
    it needs no right to leave it again, which a machine may be unable to
    give."""
    teach(started)
    conf = started.root / "etc/neurald/neurald.conf"
    conf.write_text(CONFIGURATION.replace(
        "seed = 1", "seed = 1\n train_share = 0\n max_iterations = 10000\n seeds = 16"))
    try:
        reload(started)
        number = ask(started, "POST", "/v1/train?force=1",
                     token=ADMIN).json["id"]
        wait_until(lambda: ask(started, "GET", f"/v1/jobs/{number}")
                   .json["stage"].startswith("candidate"))
        trainer = started.run("pgrep", "-f", "--", "--trainer-child").strip()
        assert "SCHED_IDLE" in started.run("chrt", "-p", trainer)
        assert shown(started, "LimitNICE") == "20"
    finally:
        conf.write_text(CONFIGURATION)


def test_the_journal_has_the_messages_id_and_a_reason(started):
    message = make_mail("spam", 902)
    ask(started, "POST", "/v1/learn?class=spam", body=message, token=LEARN,
        type="message/rfc822")
    with started.network():
        There().score(message)
        pass_through_milter(message)
    wait_until(lambda: any("milter: " in entry["MESSAGE"] and
                           "verdict" in entry["MESSAGE"] or
                           "unsure" in entry["MESSAGE"]
                           for entry in journal_of(started)))
    entries = journal_of(started)
    identity = re.search(rb"Message-ID: (\S+)", message)[1].decode()
    learned = next(entry for entry in entries
                   if entry["MESSAGE"].startswith("learn ") and
                   identity in entry["MESSAGE"])
    assert "reason=stored" in learned["MESSAGE"]
    assert learned["PRIORITY"] == "6"
    assert learned["SYSLOG_IDENTIFIER"] == "neurald"
    assert any(identity in entry["MESSAGE"] and
               entry["MESSAGE"].startswith("score ") for entry in entries)


def test_a_reload_is_waited_for_and_a_stop_takes_under_5_seconds(started):
    process = shown(started, "MainPID")
    reload(started)
    assert shown(started, "MainPID") == process
    assert shown(started, "StatusText") == "serving"
    start = time.monotonic()
    started.run("systemctl", "stop", "neurald.service")
    assert time.monotonic() - start < 5
    assert shown(started, "Result") == "success"


def test_a_killed_daemon_is_started_again_with_all_it_knew(started):
    before = teach(started)
    process = shown(started, "MainPID")
    started.run("kill", "-9", process)
    wait_until(lambda: shown(started, "NRestarts") == "1" and
               shown(started, "ActiveState") == "active")
    assert shown(started, "MainPID") not in (process, "0")
    assert "generation 1" in before
    with started.network():
        assert There().get("/readyz").json["rules"][0]["generation"] == 1


def test_a_daemon_that_hangs_is_killed_and_started_again(machine):
    folder = machine.root / "run/systemd/system/neurald.service.d"
    folder.mkdir(parents=True)
    (folder / "watchdog.conf").write_text("[Service]\nWatchdogSec=1s\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "start", "neurald.service")
    try:
        process = shown(machine, "MainPID")
        time.sleep(2)  # it tells that it lives, so it lives on
        assert shown(machine, "MainPID") == process
        machine.run("kill", "-STOP", process)
        wait_until(lambda: shown(machine, "NRestarts") == "1" and
                   shown(machine, "ActiveState") == "active")
        assert shown(machine, "MainPID") != process
    finally:
        shutil.rmtree(folder)
        machine.run("systemctl", "daemon-reload")


def test_sockets_start_the_service_and_outlive_it(machine):
    machine.run("systemctl", "start", "neurald.socket")
    assert shown(machine, "ActiveState") == "inactive"
    assert ask(machine, "GET", "/healthz").code == 200
    assert shown(machine, "ActiveState") == "active"
    path = machine.root / "run/neurald/http"

    def ask_socket():
        connection = UnixConnection(path)
        answer = There().get("/healthz", connection=connection)
        connection.close()
        return answer.code
    assert ask_socket() == 200
    machine.run("systemctl", "restart", "neurald.service")
    assert ask_socket() == 200
    machine.run("systemctl", "stop", "neurald.service")
    assert ask_socket() == 200  # which started it once more
    assert shown(machine, "ActiveState") == "active"
