# SPDX-License-Identifier: Apache-2.0
"""What clients, supervisors and the system do to a daemon, and what it makes of
that."""
import concurrent.futures
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from conftest import make_mail
from daemon import ADMIN, LEARN, Daemon, UnixConnection

POST = (b"POST /v1/score HTTP/1.1\r\nHost: x\r\n"
        b"Content-Type: message/rfc822\r\n")
MESSAGE = b"A: b\n\nhi"  # 8 bytes


@pytest.fixture
def daemon(neurald, tmp_path):
    with Daemon(neurald, tmp_path) as running:
        yield running


def connect(daemon):
    return socket.create_connection(("127.0.0.1", daemon.port), 30)


def answer_to(daemon, *pieces, ending=False):
    """All that comes back until the daemon closes the connection."""
    with connect(daemon) as raw:
        seen = b""
        try:
            for piece in pieces:
                raw.sendall(piece)
            if ending:
                raw.shutdown(socket.SHUT_WR)
            while piece := raw.recv(65536):
                seen += piece
        except OSError:
            pass  # it was closed while we still sent
        return seen


# ---- clients ----

@pytest.mark.parametrize("framing, code", [
    (b"Content-Length: 8\r\nContent-Length: 9\r\n", 400),
    (b"Content-Length: 8\r\nContent-Length: 8\r\n", 400),
    (b"Content-Length: -8\r\n", 400),
    (b"Content-Length: 8 8\r\n", 400),
    (b"Content-Length: 99999999999999999999\r\n", 413),
    (b"Content-Length: 8\r\nTransfer-Encoding: chunked\r\n", 411),
    (b"Transfer-Encoding: chunked\r\n", 411),
])
def test_a_body_of_doubtful_length_ends_the_connection(daemon, framing, code):
    """Else what follows could be a request to us and none to a proxy."""
    hidden = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    seen = answer_to(daemon, POST + framing + b"\r\n" + MESSAGE + hidden)
    assert seen.startswith(b"HTTP/1.1 %d " % code), seen
    assert b"HTTP/1.1 200" not in seen


def test_chunks_without_end_are_not_taken(daemon):
    chunks = [b"1000\r\n" + b"x" * 4096 + b"\r\n"] * 2000
    seen = answer_to(daemon, POST + b"Transfer-Encoding: chunked\r\n\r\n",
                     *chunks)
    assert seen == b"" or seen.startswith(b"HTTP/1.1 411 ")
    assert daemon.get("/healthz").code == 200


def test_a_client_that_only_listens_on_is_answered(daemon):
    length = b"Connection: close\r\nContent-Length: %d\r\n\r\n"
    seen = answer_to(daemon, POST + length % 8 + MESSAGE, ending=True)
    assert seen.startswith(b"HTTP/1.1 200 ")
    # and one that does so in mid-body is let go
    assert answer_to(daemon, POST + length % 80 + MESSAGE, ending=True) == b""
    daemon.wait_until(lambda: daemon.metric(
        "neurald_http_connections_open") == 1)


def test_a_client_that_goes_while_it_is_learned_from_is_no_trouble(daemon):
    daemon.wait_until_ready()
    body = make_mail("spam", 1)
    with connect(daemon) as raw:
        raw.sendall(b"POST /v1/learn?class=spam HTTP/1.1\r\nHost: x\r\n"
                    b"Authorization: Bearer " + LEARN.encode() +
                    b"\r\nContent-Type: message/rfc822\r\nContent-Length: %d"
                    b"\r\n\r\n" % len(body) + body)
    daemon.wait_until(
        lambda: daemon.get("/v1/status").json["rules"][0]["spam"] == 1)


# ---- the system ----

def test_with_few_files_some_are_left_for_the_store(neurald, tmp_path):
    def limited():
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
    with Daemon(neurald, tmp_path, preexec_fn=limited) as daemon:
        daemon.wait_until_ready()
        assert "25 at once for each address" in daemon.log.read_text()
        several = [connect(daemon) for _ in range(120)]
        daemon.wait_until(lambda: daemon.get(
            "/healthz", connection=UnixConnection(daemon.socket)).code == 200)
        assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 90
        learned = daemon.post(
            "/v1/learn?class=spam", make_mail("spam", 1), token=LEARN,
            type="message/rfc822", connection=UnixConnection(daemon.socket))
        assert learned.code == 200
        for one in several:
            one.close()
        daemon.wait_until(daemon.is_alive)


def test_a_log_that_nobody_reads_stops_nothing(neurald, tmp_path, configured):
    config = configured("serve {\n log_scores = true\n}\n")
    ours, theirs = os.pipe()
    try:
        with Daemon(neurald, tmp_path, before=("--config", config),
                    output=theirs) as daemon:
            connection = daemon.connect()
            for number in range(2000):  # 200 KiB; a pipe holds 64
                daemon.score(MESSAGE, f"?id={number}", connection=connection)
            seen = os.read(ours, 1 << 20)
            daemon.score(MESSAGE, "?id=last", connection=connection)
            seen += os.read(ours, 1 << 20)
            assert b" lines of the log were lost: " in seen
            assert b"score id=last verdict=unsure" in seen
            assert daemon.stop() < 5
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_store_that_loses_its_name_takes_no_lesson(trained, tmp_path):
    """It would be acknowledged, and lost with the last handle."""
    aside = tmp_path / "aside"
    aside.mkdir()

    def move(there, back):
        for path in sorted(there.iterdir()):
            path.rename(back / path.name)
    with Daemon(trained, tmp_path) as daemon:
        daemon.wait_for_model()
        assert daemon.learn(make_mail("spam", 500), "spam").code == 200
        move(trained.store.parent, aside)
        answer = daemon.learn(make_mail("spam", 501), "spam")
        assert answer.code == 503, answer.body
        assert "moved, removed or replaced" in answer.json["detail"]
        assert daemon.score(make_mail("spam", 1))["verdict"] == "spam"
        move(aside, trained.store.parent)
        daemon.wait_until(lambda: daemon.learn(
            make_mail("spam", 501), "spam").code == 200)
        daemon.stop()
    assert trained.ok("status", "--json").json["spam"] == 82


# ---- supervisors ----

def test_a_socket_that_a_killed_daemon_left_is_replaced(neurald, tmp_path):
    with Daemon(neurald, tmp_path) as first:
        first.process.kill()
        first.process.wait()
        assert first.socket.exists()
    with Daemon(neurald, tmp_path) as second:
        assert second.get("/healthz", connection=UnixConnection(
            second.socket)).code == 200


def test_a_file_in_the_place_of_a_socket_is_left_alone(neurald, tmp_path):
    (tmp_path / "http").write_text("precious")
    neurald.fails(69, "serve", "--listen", f"unix:{tmp_path}/http",
                  words="something else")
    assert (tmp_path / "http").read_text() == "precious"


def test_sockets_go_when_it_stops_but_not_those_of_its_successor(neurald,
                                                                 tmp_path):
    milter = tmp_path / "milter"
    names = ("--milter", f"unix:{milter}")
    with Daemon(neurald, tmp_path, *names) as first:
        assert milter.exists() and first.socket.exists()
        with connect(first) as held:  # so that the end takes a while
            held.sendall(POST + b"Content-Length: 80\r\n\r\n")
            first.process.send_signal(signal.SIGTERM)
            first.wait_until(lambda: not milter.exists() and
                             not first.socket.exists())
            with Daemon(neurald, tmp_path, *names) as second:
                assert first.process.wait(30) == 0
                assert milter.exists()
                assert second.get("/healthz", connection=UnixConnection(
                    second.socket)).code == 200
                second.stop()
        assert not milter.exists() and not second.socket.exists()


def test_an_end_during_the_start_leaves_nothing_behind(neurald, tmp_path):
    for number in range(6):
        path = tmp_path / f"{number}"
        process = neurald.start("serve", "--listen", f"unix:{path}",
                                stderr=subprocess.DEVNULL)
        time.sleep(number * 0.02)
        process.terminate()
        assert process.wait(30) in (0, -signal.SIGTERM)
        assert not path.exists()


def test_a_storm_of_reloads_is_weathered(daemon):
    daemon.wait_until_ready()
    connection = daemon.connect()
    for _ in range(300):
        daemon.process.send_signal(signal.SIGHUP)
        # ready all the time, also without a model
        assert daemon.get("/readyz", connection=connection).code == 200
    files = len(os.listdir(f"/proc/{daemon.process.pid}/fd"))
    for _ in range(1000):
        daemon.process.send_signal(signal.SIGHUP)
        assert daemon.process.poll() is None
    daemon.wait_until(lambda: daemon.metric(
        "neurald_reloads_total", result="ok") >= 1)
    assert daemon.metric("neurald_reloads_total", result="failed") == 0
    daemon.wait_until(lambda: len(os.listdir(
        f"/proc/{daemon.process.pid}/fd")) <= files + 2)
    assert daemon.get("/readyz").code == 200


def test_two_daemons_share_a_store(neurald, tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()

    def teach(daemon, numbers):
        return {daemon.learn(make_mail(label, number), label).code
                for number in numbers for label in ("spam", "ham")}
    with Daemon(neurald, folders[0]) as one, \
            Daemon(neurald, folders[1]) as two:
        for daemon in (one, two):
            daemon.wait_until_ready()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            codes = list(pool.map(teach, (one, two),
                                  (range(20), range(20, 40))))
        assert codes == [{200}, {200}]
        status = neurald.ok("status", "--json").json
        assert (status["spam"], status["ham"]) == (40, 40)
        assert one.train()["report"]["decision"] == "promoted"
        assert two.post("/v1/train?force=1", token=ADMIN).code == 202
