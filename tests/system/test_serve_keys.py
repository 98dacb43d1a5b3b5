# SPDX-License-Identifier: Apache-2.0
"""Keys of the daemon whose effect other tests do not show, and where its log
goes: the sockets of the journal and of syslog are the test's own."""
import contextlib
import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest

from conftest import make_mail
from daemon import ADMIN, LEARN, READ, Daemon, UnixConnection, free_port


def start(neurald, folder, config, *arguments, **options):
    """A daemon that finds everything in its configuration."""
    return Daemon(neurald, folder, *arguments, before=("--config", config),
                  **options)


def test_addresses_and_tokens_come_from_the_configuration(neurald, tmp_path,
                                                          configured):
    port = free_port()
    tokens = tmp_path / "own-tokens"
    tokens.write_text(f"learn {READ}\n")
    tokens.chmod(0o600)
    config = configured(
        f'serve {{\n listen = "127.0.0.1:{port} unix:{tmp_path}/own"\n'
        f' token_file = "{tokens}"\n}}\n')
    with start(neurald, tmp_path, config, tokens=(), port=port) as daemon:
        mail = make_mail("spam", 1)
        assert daemon.learn(mail, "spam", token=LEARN).code == 401
        daemon.wait_until_ready()
        assert daemon.learn(mail, "spam", token=READ).code == 200
        connection = UnixConnection(tmp_path / "own")
        assert daemon.get("/healthz", connection=connection).code == 200
        connection.close()


def serving_threads(process):
    """How many have the name that libmicrohttpd gives them."""
    names = []
    for task in pathlib.Path(f"/proc/{process.pid}/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            names.append((task / "comm").read_text())
    return names.count("MHD-worker\n")


def test_threads_are_as_many_as_wanted(neurald, tmp_path, configured):
    for threads in (2, 20):
        config = configured(f"serve {{\n threads = {threads}\n}}\n")
        with start(neurald, tmp_path, config) as daemon:
            daemon.wait_until(lambda threads=threads: serving_threads(
                daemon.process) == 2 * threads)
            daemon.stop()


# ---- the trainer ----

def may_leave_spare_time():
    """Whether this user's processes come back from SCHED_IDLE."""
    script = ("import os; none = os.sched_param(0);"
              "os.nice(10);"
              "os.sched_setscheduler(0, os.SCHED_IDLE, none);"
              "os.sched_setscheduler(0, os.SCHED_OTHER, none)")
    return subprocess.run([sys.executable, "-c", script], check=False,
                          stderr=subprocess.DEVNULL).returncode == 0


@contextlib.contextmanager
def training(trained, folder, config):
    """A daemon in a long training: itself, and the trainer's process id."""
    config.write_text(config.read_text() +
                      " max_iterations = 10000\n seeds = 16\n}\n")
    with start(trained, folder, config) as daemon:
        daemon.wait_for_model()
        number = daemon.post("/v1/train?force=1", token=ADMIN).json["id"]
        daemon.wait_until(lambda: daemon.get(f"/v1/jobs/{number}")
                          .json["stage"].startswith("candidate"))
        yield daemon, daemon.child("--trainer-child")
        daemon.stop()


def kept_busy(processor):
    """A process that leaves nothing of a processor."""
    script = f"import os\nos.sched_setaffinity(0, {{{processor}}})\n" \
             "while True: pass"
    return subprocess.Popen([sys.executable, "-c", script])


def test_the_trainer_has_spare_time_and_competes_where_it_starves(
        trained, tmp_path, configured):
    if not may_leave_spare_time():
        pytest.skip("this user has not the right to leave SCHED_IDLE")
    config = configured("rule default {\n train_nice = 7\n")
    with training(trained, tmp_path, config) as (daemon, trainer):
        # on a busy machine it may compete just now, for 10 s
        daemon.wait_until(
            lambda: os.sched_getscheduler(trainer) == os.SCHED_IDLE)
        processor = min(os.sched_getaffinity(0))
        busy = kept_busy(processor)
        try:
            os.sched_setaffinity(trainer, {processor})
            daemon.wait_until(
                lambda: os.sched_getscheduler(trainer) == os.SCHED_OTHER)
            assert os.getpriority(os.PRIO_PROCESS, trainer) == min(
                os.getpriority(os.PRIO_PROCESS, daemon.process.pid) + 7, 19)
        finally:
            busy.kill()
            busy.wait()
        os.sched_setaffinity(trainer, os.sched_getaffinity(0))


def test_the_trainer_always_competes_where_its_share_is_all(trained, tmp_path,
                                                            configured):
    config = configured("rule default {\n train_share = 1\n")
    with training(trained, tmp_path, config) as (daemon, trainer):
        assert os.sched_getscheduler(trainer) == os.SCHED_OTHER


def test_the_trainer_never_competes_where_its_share_is_nothing(
        trained, tmp_path, configured):
    config = configured("rule default {\n train_share = 0\n")
    with training(trained, tmp_path, config) as (daemon, trainer):
        assert os.sched_getscheduler(trainer) == os.SCHED_IDLE
        for answer in (daemon.get("/healthz"), daemon.get("/readyz")):
            assert answer.code == 200


# ---- connections ----

def is_open(one):
    """Whether a connection gets an answer."""
    try:
        one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        return one.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def test_connections_are_as_many_as_wanted(neurald, tmp_path, configured):
    config = configured("serve {\n connections = 16\n threads = 1\n"
                        " log_level = debug\n}\n")
    with start(neurald, tmp_path, config) as daemon:
        address = ("127.0.0.1", daemon.port)
        several = [socket.create_connection(address, 30) for _ in range(16)]
        assert all(is_open(one) for one in several)
        with socket.create_connection(address, 30) as beyond:
            beyond.settimeout(0.5)
            assert not is_open(beyond)
        for one in several:
            one.close()
        daemon.wait_until(daemon.is_alive)
        # to libmicrohttpd one thread is no pool
        assert "debug: http: " in daemon.log.read_text()


def test_the_log_has_lines_from_the_wanted_level_on(neurald, tmp_path,
                                                    configured):
    logs = {}
    for level in ("error", "info"):
        config = configured(f"serve {{\n log_level = {level}\n"
                            " log_scores = true\n}\n")
        folder = tmp_path / level
        folder.mkdir()
        with start(neurald, folder, config) as daemon:
            daemon.score(make_mail("spam", 1), "?id=the%0Aone")
            daemon.stop()
            logs[level] = daemon.log.read_text()
    assert logs["error"] == ""
    line = next(line for line in logs["info"].splitlines() if "score" in line)
    assert re.fullmatch(r"neurald: info: score id=the\?one verdict=unsure "
                        r"probability=0.50000 weight=0.00 generation=0 "
                        r"reason=no_model", line)


def test_scores_are_logged_only_where_that_is_wanted(neurald, tmp_path,
                                                     configured):
    config = configured("serve {\n log_level = debug\n}\n")
    with start(neurald, tmp_path, config) as daemon:
        daemon.score(make_mail("spam", 1))
        daemon.stop()
        assert "score id=" not in daemon.log.read_text()


class Logs:
    """Stands in for /dev/log and the journal, for a program that sees them in
    a mount namespace of its own."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            pytest.skip("only root has mount namespaces")
        self.dev, self.run = folder / "dev", folder / "run"
        (self.run / "systemd/journal").mkdir(parents=True)
        self.dev.mkdir()
        for name in ("null", "random", "urandom"):
            (self.dev / name).touch()
        self.syslog = self.bind(self.dev / "log")
        self.journal = self.bind(self.run / "systemd/journal/socket")

    @staticmethod
    def bind(path):
        one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        one.bind(str(path))
        one.settimeout(30)
        return one

    def around(self):
        """What goes in front of a command."""
        binds = "".join(f"mount --bind /dev/{name} {self.dev}/{name} && "
                        for name in ("null", "random", "urandom"))
        script = (f"mount --make-rprivate / && {binds}"
                  f"mount --rbind {self.dev} /dev && "
                  f"mount --bind {self.run} /run && exec \"$@\"")
        command = ["unshare", "--mount", "sh", "-c", script, "sh"]
        done = subprocess.run([*command, "true"], check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
        return command

    @staticmethod
    def wait_for(one, word):
        while True:
            message = one.recv(65536).decode()
            if word in message:
                return message


@pytest.fixture
def logs(tmp_path):
    both = Logs(tmp_path)
    yield both
    both.syslog.close()
    both.journal.close()


def learn_one(daemon):
    daemon.wait_until_ready()
    assert daemon.learn(make_mail("spam", 5), "spam").code == 200


def test_syslog_gets_the_messages_id_and_the_reason(neurald, tmp_path,
                                                    configured, logs):
    config = configured("serve {\n log = syslog\n}\n")
    with start(neurald, tmp_path, config, around=logs.around()) as daemon:
        learn_one(daemon)
        line = logs.wait_for(logs.syslog, "learn id=")
        identity = re.search(rb"Message-ID: (\S+)", make_mail("spam", 5))[1]
        # mail.info, the name, and the process
        assert line.startswith("<22>")
        assert f"neurald[{daemon.process.pid}]: " in line
        assert (f"learn id={identity.decode()} class=spam source=api code=200 "
                "reason=stored") in line
        daemon.stop()
        assert daemon.log.read_text() == ""


def fields_of(message):
    """Of the journal's own protocol, as far as one line holds a field."""
    return dict(line.split("=", 1) for line in message.splitlines()
                if "=" in line)


def test_the_journal_gets_the_messages_id_and_the_reason(neurald, tmp_path,
                                                         configured, logs):
    config = configured("serve {\n log = journal\n}\n")
    with start(neurald, tmp_path, config, around=logs.around()) as daemon:
        learn_one(daemon)
        fields = fields_of(logs.wait_for(logs.journal, "learn id="))
        identity = re.search(rb"Message-ID: (\S+)", make_mail("spam", 5))[1]
        assert fields["PRIORITY"] == "6"
        assert fields["SYSLOG_IDENTIFIER"] == "neurald"
        assert fields["MESSAGE"] == (
            f"learn id={identity.decode()} class=spam source=api code=200 "
            "reason=stored")
        daemon.stop()
        assert daemon.log.read_text() == ""
