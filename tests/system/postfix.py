# SPDX-License-Identifier: Apache-2.0
"""A Postfix of a test's own: configuration, queue and mailbox in a temporary
folder, loopback only, stopped by the test. Debian's own instance, if it runs,
is not touched.
"""
import email
import email.policy
import os
import pathlib
import pwd
import queue
import shutil
import smtplib
import subprocess
import tempfile
import threading
import time

from daemon import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PATIENCE = 30  # seconds in which every message has to be delivered

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.example.org
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = example.org
virtual_mailbox_maps = static:box/
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{user}
virtual_gid_maps = static:{user}
virtual_minimum_uid = 1
smtpd_client_connection_count_limit = 0
default_process_limit = 20
maillog_file = {folder}/log/postfix
maillog_file_prefixes = {folder}/log
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
flush     unix n - n 1000? 0 flush
smtp      unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


def snippet():
    """The lines of main.cf that packaging/postfix/ ships."""
    return (ROOT / "packaging/postfix/main.cf").read_text()


class Postfix:
    """Runs from `with` on; delivers to one mailbox."""

    def __init__(self, milter, extra=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="neurald-postfix-"))
        self.port = free_port()
        self.new = self.folder / "mail/box/new"
        user = pwd.getpwnam("nobody").pw_uid
        for name in ("etc", "queue", "data", "log", "mail"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        os.chown(self.folder / "mail", user, user)
        shutil.chown(self.folder / "data", "postfix")
        lines = snippet().replace("inet:127.0.0.1:11381", milter) \
            if milter else ""
        assert not milter or milter in lines
        (self.folder / "etc/main.cf").write_text(
            MAIN.format(folder=self.folder, user=user) + lines + extra)
        (self.folder / "etc/master.cf").write_text(
            MASTER.format(port=self.port))

    def run(self, *command):
        return subprocess.run(
            [command[0], "-c", self.folder / "etc", *command[1:]],
            capture_output=True, text=True, timeout=60, check=False)

    def __enter__(self):
        done = self.run("postfix", "start")
        assert done.returncode == 0, (done.stderr, self.log)
        self.wait_until(self.answers)
        return self

    def __exit__(self, *_):
        self.run("postfix", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def empty(self):
        """Forgets what was delivered."""
        for path in self.new.iterdir() if self.new.exists() else ():
            path.unlink()

    def answers(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.port, timeout=5):
                return True
        except (OSError, smtplib.SMTPException):
            return False

    @property
    def log(self):
        path = self.folder / "log/postfix"
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_until(self, condition, seconds=PATIENCE):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log[-4000:]
            time.sleep(0.05)

    def queued(self):
        """Messages under way, the held ones too."""
        done = self.run("postqueue", "-j")
        assert done.returncode == 0, done.stderr
        return [line for line in done.stdout.splitlines() if line]

    def send(self, messages, connections=8, pause=None):
        """Sends each (name, bytes) once, some at a time. The name becomes a
        header. Answers when each was taken."""
        work, taken, failures = queue.Queue(), {}, []
        for pair in messages:
            work.put(pair)

        def sender():
            try:
                with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as smtp:
                    while True:
                        name, data = work.get_nowait()
                        self.send_one(smtp, name, data)
                        taken[name] = time.time()
                        if pause:
                            time.sleep(pause)
            except queue.Empty:
                pass
            except Exception as problem:  # pylint: disable=broad-except
                failures.append(problem)
        threads = [threading.Thread(target=sender) for _ in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, (failures, self.log[-4000:])
        return taken

    @staticmethod
    def send_one(smtp, name, data):
        head = f"X-Test-Name: {name}\r\n".encode()
        refused = smtp.sendmail("sender@example.net", ["user@example.org"],
                                head + data)
        assert not refused

    def delivered(self):
        """The delivered files by their X-Test-Name: a list each."""
        found = {}
        for path in self.new.iterdir() if self.new.exists() else ():
            found.setdefault(name_of(path), []).append(path)
        return found

    def wait_for(self, names):
        """Until each message was delivered, once; answers their files."""
        self.wait_until(lambda: self.new.exists() and
                        len(list(self.new.iterdir())) >= len(names))
        found = self.delivered()
        assert set(found) == set(names)
        assert all(len(paths) == 1 for paths in found.values())
        self.wait_until(lambda: not self.queued())
        assert "status=bounced" not in self.log
        assert "status=deferred" not in self.log
        return {name: paths[0] for name, paths in found.items()}


def name_of(path):
    with open(path, "rb") as file:
        for line in file:
            if line.startswith(b"X-Test-Name: "):
                return line[13:].decode().strip()
    raise AssertionError(path)


def header_of(path, name="X-Neurald"):
    """The values of all headers of that name."""
    with open(path, "rb") as file:
        message = email.message_from_binary_file(
            file, policy=email.policy.compat32)
    return [str(value) for value in message.get_all(name, [])]
