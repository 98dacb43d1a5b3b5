# SPDX-License-Identifier: Apache-2.0
"""The daemon's life: start, reload, trouble, and a quick end."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import PROGRAM, ROOT, make_mail
from daemon import ADMIN, LEARN, READ, Daemon, free_port

STOP_SECONDS = 5


def test_configuration_is_checked_without_a_start(neurald, tmp_path,
                                                  configured):
    assert "1 address" in neurald.ok("serve", "--test-config").text
    neurald.fails(78, "--config", configured("serve {\n threads = x\n}\n"),
                  "serve", "--test-config", words="neurald.conf:2")
    neurald.fails(78, "serve", "--listen", "nonsense", "--test-config",
                  words="nonsense")
    neurald.fails(78, "--config", configured('serve {\n roles = "cook"\n}\n'),
                  "serve", "--test-config", words="cook is no role")
    tokens = tmp_path / "tokens"
    tokens.write_text(f"learn {LEARN}\n")
    tokens.chmod(0o646)
    neurald.fails(78, "serve", "--token-file", tokens, "--test-config",
                  words="can be written by everyone")
    tokens.chmod(0o644)
    checked = neurald.ok("serve", "--token-file", tokens, "--test-config")
    assert "can be read by everyone" in checked.err
    assert not neurald.store.exists()


def test_an_address_in_use_is_told(neurald, tmp_path):
    with Daemon(neurald, tmp_path) as daemon:
        neurald.fails(69, "serve", "--listen", f"127.0.0.1:{daemon.port}",
                      words="something else")
        neurald.fails(69, "serve", "--listen", f"unix:{daemon.socket}",
                      words="something else")
        assert daemon.get("/healthz").code == 200
        daemon.stop()
        assert not daemon.socket.exists()


def test_listening_to_others_is_warned_about(neurald, tmp_path):
    port = free_port()
    daemon = Daemon(neurald, tmp_path, "--listen", f"0.0.0.0:{port}",
                    tokens=())
    daemon.port = port
    with daemon:
        assert "other machines can reach" in daemon.log.read_text()


def test_reload_takes_tokens_limits_and_rules(neurald, tmp_path, configured):
    config = configured("rule one {\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until_ready()
        config.write_text("serve {\n max_body = 2KiB\n}\nrule one {\n}\n"
                          "rule two {\n}\n")
        daemon.tokens.write_text(f"learn {READ}\n")
        daemon.reload()
        assert daemon.learn(make_mail("spam", 1), "spam").code == 401
        answer = daemon.learn(make_mail("spam", 1), "spam", token=READ)
        assert [rule["rule"] for rule in answer.json["rules"]] == \
            ["one", "two"]
        large = daemon.post("/v1/score", b"A: b\n\n" + b"x" * 3000,
                            type="message/rfc822")
        assert large.code == 413
        assert daemon.metric("neurald_reloads_total", result="ok") == 1


@pytest.mark.parametrize("text, word", [
    ("rule one {\n learning_rate = 7\n}\n", "learning_rate"),
    ("nonsense = 1\n", "nonsense"),
    ("rule one {\n}\nrule one {\n}\n", "one"),
])
def test_a_bad_configuration_keeps_the_old_one(neurald, tmp_path, configured,
                                               text, word):
    config = configured("rule one {\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until_ready()
        config.write_text(text)
        daemon.reload()
        assert daemon.metric("neurald_reloads_total", result="failed") == 1
        assert daemon.learn(make_mail("spam", 1), "spam").code == 200
        assert [rule["rule"]
                for rule in daemon.get("/v1/status").json["rules"]] == ["one"]
        log = daemon.log.read_text()
        assert "the old configuration stays" in log
        assert word in log


def test_reloads_lose_no_request(trained, tmp_path):
    """Many are under way while the configuration is read again and again."""
    wrong = []
    with Daemon(trained, tmp_path) as daemon:
        daemon.wait_for_model()
        ending = threading.Event()
        refused = daemon.metric("neurald_http_responses_total", code="503")

        def ask():
            connection = daemon.connect()
            while not ending.is_set():
                verdict = daemon.score(make_mail("spam", 1),
                                       connection=connection)
                if verdict["verdict"] != "spam":
                    wrong.append(verdict)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            daemon.reload()
        ending.set()
        for thread in threads:
            thread.join()
        assert daemon.metric("neurald_reloads_total", result="ok") == 10
        assert daemon.metric("neurald_http_responses_total",
                             code="503") == refused  # from before it was ready
        for code in ("400", "500", "other"):
            assert daemon.metric("neurald_http_responses_total",
                                 code=code) == 0
    assert not wrong


def slow_training(configured):
    return configured("rule default {\n max_iterations = 10000\n"
                      " seeds = 16\n hidden_units = 64\n}\n")


def test_it_stops_quickly_in_mid_training(trained, tmp_path, configured):
    config = slow_training(configured)
    with Daemon(trained, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_for_model()
        number = daemon.post("/v1/train?force=1", token=ADMIN).json["id"]
        daemon.wait_until(lambda: daemon.get(f"/v1/jobs/{number}")
                          .json["stage"] != "")
        time.sleep(0.5)
        assert daemon.get(f"/v1/jobs/{number}").json["state"] == "running"
        assert daemon.score(make_mail("spam", 1))["verdict"] == "spam"
        group = daemon.process.pid
        assert daemon.stop() < STOP_SECONDS
    children = subprocess.run(["pgrep", "-P", str(group)], check=False,
                              capture_output=True, text=True).stdout
    assert children == ""
    status = trained.ok("status", "--json").json
    assert status["lease_holder"] == ""


def test_it_stops_quickly_with_connections_open(neurald, tmp_path):
    with Daemon(neurald, tmp_path) as daemon:
        open_ones = [socket.create_connection(("127.0.0.1", daemon.port))
                     for _ in range(50)]
        for one in open_ones[::2]:
            one.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: "
                        b"message/rfc822\r\nContent-Length: 1000\r\n\r\nFrom")
        assert daemon.stop() < STOP_SECONDS
        for one in open_ones:
            one.close()


def test_slow_and_idle_connections_are_closed(neurald, tmp_path, configured):
    config = configured("serve {\n request_time = 1s\n idle_time = 2s\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        body = socket.create_connection(("127.0.0.1", daemon.port))
        head = socket.create_connection(("127.0.0.1", daemon.port))
        idle = socket.create_connection(("127.0.0.1", daemon.port))
        body.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Type: "
                     b"message/rfc822\r\nContent-Length: 1000\r\n\r\n")
        head.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
        for one in (body, head, idle):
            one.settimeout(0.2)
        ended = set()
        deadline = time.monotonic() + 20
        while len(ended) < 3 and time.monotonic() < deadline:
            for one in {body, head, idle} - ended:
                try:
                    if one is not idle:
                        one.sendall(b"x")  # a byte now and then is not enough
                    if one.recv(4096) == b"":
                        ended.add(one)
                except TimeoutError:
                    pass
                except OSError:
                    ended.add(one)
        assert len(ended) == 3
        daemon.wait_until(lambda: daemon.metric(
            "neurald_http_connections_cut_total") >= 3)
        assert daemon.get("/healthz").code == 200


def test_clients_over_the_rate_are_told_to_wait(neurald, tmp_path, configured):
    config = configured("serve {\n rate_limit = 5\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        codes = [daemon.get("/v1/status").code for _ in range(30)]
        assert codes[0] == 200
        assert 429 in codes
        assert daemon.get("/healthz").code == 200
        told = next(answer for answer in
                    (daemon.get("/v1/status") for _ in range(50))
                    if answer.code == 429)
        assert told.headers["retry-after"] == "1"
        time.sleep(1)
        assert daemon.get("/v1/status").code == 200


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none",
                           folder], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_refuses_learning_and_keeps_scoring(trained, small_disk,
                                                        tmp_path):
    store = small_disk / "neurald.db"
    trained.ok("model", "export", tmp_path / "m.nd")
    trained.ok("learn", "--spam", "--store", store, data=make_mail("spam", 1))
    trained.ok("model", "import", tmp_path / "m.nd", "--store", store)
    with Daemon(trained, tmp_path, before=("--store", store)) as daemon:
        daemon.wait_for_model()
        room = shutil.disk_usage(small_disk).free
        (small_disk / "ballast").write_bytes(b"x" * max(0, room - 65536))
        answer = None
        for number in range(2000):
            answer = daemon.learn(make_mail("ham", number), "ham")
            assert answer.code in (200, 507, 503), answer.body
            if answer.code != 200:
                break
        assert answer.code == 507, answer.body
        assert answer.json["reason"] == "full"
        assert answer.headers["content-type"] == "application/problem+json"
        for number in range(20):
            verdict = daemon.score(make_mail("spam", 900 + number))
            assert verdict["verdict"] == "spam"
        assert daemon.metric("neurald_refused_total", reason="store") >= 1
        (small_disk / "ballast").unlink()
        daemon.wait_until(
            lambda: daemon.learn(make_mail("ham", 5000), "ham").code == 200)
        assert daemon.stop() < STOP_SECONDS


class Redis:
    """A server of the test's own, which can be taken away."""

    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        self.process = None
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", str(self.folder), "--appendonly", "yes", "--save", ""],
            stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise AssertionError("redis-server does not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def redis(tmp_path):
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    folder = tmp_path / "redis"
    folder.mkdir()
    server = Redis(folder)
    yield server
    server.process.kill()
    server.process.wait()


def test_a_store_that_is_taken_away_stops_nothing(trained, tmp_path, redis,
                                                  configured):
    config = configured(f'store = "{redis.url}"\n'
                        "rule default {\n watch_interval = 1s\n}\n")
    trained.ok("model", "export", tmp_path / "m.nd")
    trained.ok("--config", config, "learn", "--spam",
               data=make_mail("spam", 1))
    trained.ok("--config", config, "model", "import", tmp_path / "m.nd")
    with Daemon(trained, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_for_model()
        redis.stop()
        for number in range(20):
            assert daemon.score(make_mail("spam", number))["generation"] > 0
        daemon.wait_until(lambda: daemon.get("/readyz").code == 503)
        answer = daemon.learn(make_mail("ham", 1), "ham")
        assert answer.code == 503, answer.body
        assert answer.json["reason"] == "unavailable"
        assert daemon.score(make_mail("ham", 900))["generation"] > 0
        assert daemon.metric("neurald_store_up") == 0
        redis.start()
        daemon.wait_until(lambda: daemon.get("/readyz").code == 200, 60)
        daemon.wait_until(
            lambda: daemon.learn(make_mail("ham", 1), "ham").code == 200)
        redis.stop()
        assert daemon.stop() < STOP_SECONDS


def test_it_stops_quickly_while_it_waits_for_its_store(neurald, tmp_path,
                                                       redis, configured):
    """Both a mail rule's and an rspamd rule's server take the connection, and
    say nothing."""
    config = configured(f'store = "{redis.url}"\nrule default {{\n}}\n'
                        "rule other {\n kind = rspamd\n"
                        f' rspamd_redis = "{redis.url}"\n}}\n')
    redis.process.send_signal(signal.SIGSTOP)
    process = neurald.start("--config", config, "serve", "--listen",
                            f"127.0.0.1:{free_port()}")
    time.sleep(0.5)
    start = time.monotonic()
    process.terminate()
    assert process.wait(30) == 0
    assert time.monotonic() - start < STOP_SECONDS


def test_samples_wait_in_the_spool_while_the_store_is_away(neurald, tmp_path,
                                                           redis, configured):
    config = configured(f'store = "{redis.url}"\n'
                        f'serve {{\n spool = "{tmp_path}/spool.db"\n'
                        " spool_size = 16KiB\n}\n"
                        "rule default {\n watch_interval = 1s\n}\n")
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until(lambda: daemon.learn(
            make_mail("ham", 500), "ham").code == 200)
        redis.stop()
        daemon.wait_until(lambda: daemon.get("/readyz").code == 503)
        answer = daemon.learn(make_mail("spam", 7000), "spam")
        assert answer.code == 202, answer.body
        assert answer.json["outcome"] == "spooled"
        # spool_size holds this one and no hundred more
        codes = {daemon.learn(make_mail("ham", 7000 + number), "ham").code
                 for number in range(100)}
        assert 507 in codes, codes
        redis.start()
        daemon.wait_until(lambda: neurald.ok(
            "--config", config, "status", "--json").json["spam"] == 1, 60)


def test_another_user_serves_and_the_sockets_stay(neurald, tmp_path,
                                                  configured):
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    store = tmp_path / "store"
    store.mkdir()
    shutil.chown(store, "nobody")
    for folder in tmp_path.parents:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o001)
    tmp_path.chmod(0o755)
    config = configured(f'store = "sqlite:{store}/neurald.db"\n'
                        'serve {\n user = nobody\n}\n')
    with Daemon(neurald, tmp_path, before=("--config", config)) as daemon:
        daemon.wait_until_ready()
        status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
        assert re.search(r"^Uid:\s+65534\s+65534\s+65534", status, re.M)
        assert re.search(r"^CapEff:\s+0+$", status, re.M)
        assert daemon.learn(make_mail("spam", 1), "spam").code == 200
        daemon.reload()
    config.write_text('serve {\n user = "no such user"\n}\n')
    neurald.fails(78, "--config", config, "serve", "--listen",
                  f"127.0.0.1:{free_port()}", words="no such user")


class Notified:
    """What the daemon tells systemd."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(30)

    def wait_for(self, word):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            message = self.socket.recv(4096).decode()
            if word in message:
                return message
        raise AssertionError(f"{word} was not told")


def test_systemd_hears_of_each_step(neurald, tmp_path):
    notified = Notified(tmp_path / "notify")
    neurald.environment |= {"NOTIFY_SOCKET": str(notified.path),
                            "WATCHDOG_USEC": "3000000"}
    with Daemon(neurald, tmp_path) as daemon:
        notified.wait_for("READY=1")
        notified.wait_for("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in notified.wait_for("RELOADING=1")
        notified.wait_for("READY=1")
        daemon.process.send_signal(signal.SIGTERM)
        notified.wait_for("STOPPING=1")
        assert daemon.process.wait(30) == 0
    notified.socket.close()


def test_systemd_may_listen_for_it(neurald, tmp_path):
    port = free_port()
    if not shutil.which("systemd-socket-activate"):
        pytest.skip("systemd is not installed")
    process = subprocess.Popen(
        ["systemd-socket-activate", "-l", f"127.0.0.1:{port}",
         "-E", f"HOME={neurald.home}", PROGRAM, "serve"],
        stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        answer = b""
        while not answer and time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", port), 30) as one:
                    one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                                b"Connection: close\r\n\r\n")
                    answer = one.recv(4096)
            except OSError:
                time.sleep(0.05)
        assert answer.startswith(b"HTTP/1.1 200")
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_the_unit_is_hardened(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd is not installed")
    units = ROOT / "packaging/systemd"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager",
         units / "neurald.service"], capture_output=True, text=True,
        check=False)
    found = re.search(r"Overall exposure level for .*: ([\d.]+)", done.stdout)
    assert found, done.stderr
    assert float(found[1]) <= 2.0
    copies = []
    for name in ("neurald.service", "neurald.socket"):
        copies.append(tmp_path / name)
        copies[-1].write_text((units / name).read_text().replace(
            "/usr/bin/neurald", str(PROGRAM)).replace("Documentation=", "#"))
    done = subprocess.run(["systemd-analyze", "verify", *copies],
                          capture_output=True, text=True, check=False)
    assert [line for line in done.stderr.splitlines()
            if str(tmp_path) in line or "neurald.s" in line] == []
