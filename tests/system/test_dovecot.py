# SPDX-License-Identifier: Apache-2.0
"""Debian's Dovecot with the sieve scripts that packaging/ ships: a message that
is moved into or out of Junk becomes a label, through the daemon; one that is
thrown away from there does not."""
import http.client
import imaplib
import json
import os
import pwd
import shutil
import signal
import subprocess
import time

import pytest

from conftest import PROGRAM, ROOT, Neurald, make_mail, unprivileged
from rspamd_peer import free_port, wait_for

TOKEN = "a-token-for-learning-0123456789"
SHIPPED = ROOT / "packaging/dovecot"
SCRIPTS = "/usr/local/lib/neurald/dovecot"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="Dovecot takes the mail user's rights as root")

DOVECOT = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
mail_debug = yes
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Junk {{
    auto = create
  }}
  mailbox Trash {{
    auto = create
  }}
  mailbox Archive {{
    auto = create
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
"""


class Place:
    """neurald serve, and Dovecot with its mailboxes."""

    def __init__(self, folder):
        unprivileged(folder / "x")
        self.folder, self.user = folder, pwd.getpwnam("mail")
        for name in ("home", "run", "mail", "scripts"):
            (folder / name).mkdir()
        os.chmod(folder, 0o755)
        os.chown(folder / "mail", self.user.pw_uid, self.user.pw_gid)
        self.port, self.imap_port = free_port(), free_port()
        self.start_daemon()
        self.write_scripts()
        config = folder / "dovecot.conf"
        config.write_text(
            DOVECOT.format(folder=folder, port=self.imap_port)
            + (SHIPPED / "90-neurald.conf").read_text().replace(
                SCRIPTS, str(folder / "scripts")))
        self.dovecot = subprocess.Popen(
            ["dovecot", "-F", "-c", str(config)], stdin=subprocess.DEVNULL,
            stdout=open(folder / "out", "wb"), stderr=subprocess.STDOUT)
        self.imap = wait_for(self.connect, "dovecot")

    def start_daemon(self):
        tokens = self.folder / "tokens"
        tokens.write_text(f"learn {TOKEN}\n")
        tokens.chmod(0o640)
        self.neurald = Neurald(self.folder / "home")
        self.daemon = self.neurald.start(
            "serve", "--listen", f"127.0.0.1:{self.port}", "--token-file",
            tokens, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self.ask("GET", "/healthz") is not None, "neurald")

    def write_scripts(self):
        scripts = self.folder / "scripts"
        for name in ("neurald-learn", "neurald-spam.sieve",
                     "neurald-ham.sieve"):
            shutil.copy(SHIPPED / name, scripts)
        shutil.copy(PROGRAM, scripts / "neurald")  # the mail user can reach it
        token = scripts / "token"
        token.write_text(TOKEN + "\n")
        token.chmod(0o400)
        os.chown(token, self.user.pw_uid, self.user.pw_gid)
        (scripts / "neurald-learn.conf").write_text(
            f"server=http://127.0.0.1:{self.port}\ntoken_file={token}\n"
            f"program={scripts}/neurald\n")

    def connect(self):
        assert self.dovecot.poll() is None, (self.folder / "out").read_text()
        imap = imaplib.IMAP4("127.0.0.1", self.imap_port)
        imap.login("ann", "x")
        for mailbox in ("INBOX", "Junk", "Trash", "Archive"):
            imap.select(mailbox)  # makes its folder
        return imap

    def ask(self, method, path, body=b""):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            link.request(method, path, body, {
                "Content-Type": "message/rfc822",
                "Authorization": f"Bearer {TOKEN}"})
            return json.loads(link.getresponse().read())
        finally:
            link.close()

    @property
    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def deliver(self, mailbox, message):
        """As a delivery agent does it: past IMAP, so that nobody moved it."""
        box = self.folder / "mail/ann" / ("" if mailbox == "INBOX"
                                          else f".{mailbox}")
        path = box / "new" / f"{time.time()}.x"
        path.write_bytes(message)
        os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def move(self, source, target):
        """Moves what is in source, and answers how many."""
        self.imap.select(source)
        _, (found,) = self.imap.search(None, "ALL")
        numbers = found.split()
        status, answer = self.imap._simple_command(
            "MOVE", b",".join(numbers).decode(), target)
        assert status == "OK", answer
        return len(numbers)

    def counts(self):
        told = self.neurald.ok("status", "--json").lines
        rule = next(line for line in told if line.get("rule") == "default")
        return rule["spam"], rule["ham"]

    def stop(self):
        self.dovecot.send_signal(signal.SIGTERM)
        try:
            self.dovecot.wait(20)
        except subprocess.TimeoutExpired:
            self.dovecot.kill()
            self.dovecot.wait()
        self.daemon.kill()
        self.daemon.wait()


imaplib.Commands["MOVE"] = ("SELECTED",)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("dovecot"))
    yield place
    place.stop()


def test_a_message_moved_to_junk_is_spam_and_back_is_ham(place):
    place.deliver("INBOX", make_mail("spam", 1))
    assert place.move("INBOX", "Junk") == 1
    wait_for(lambda: place.counts() == (1, 0), "the label", 30)
    assert place.move("Junk", "INBOX") == 1
    wait_for(lambda: place.counts() == (0, 1), "the other label", 30)
    told = place.ask("POST", "/v1/forget", make_mail("spam", 1))
    assert told["rules"][0]["forgotten"] == 1  # the message itself, as it is


def test_moving_is_learning_whatever_the_target_but_the_trash(place):
    place.deliver("Junk", make_mail("ham", 2))
    assert place.move("Junk", "Archive") == 1
    wait_for(lambda: place.counts() == (0, 1), "the label", 30)
    place.deliver("Junk", make_mail("spam", 3))
    assert place.move("Junk", "Trash") == 1
    place.deliver("INBOX", make_mail("ham", 4))
    assert place.move("INBOX", "Archive") == 2  # with the one of before
    # One that is learned, after which the others would have been.
    place.deliver("INBOX", make_mail("spam", 5))
    assert place.move("INBOX", "Junk") == 1
    wait_for(lambda: place.counts()[0] == 1, "the label", 30)
    assert place.counts() == (1, 1)


def test_mail_is_moved_though_the_daemon_is_away(place):
    place.daemon.kill()
    place.daemon.wait()
    place.deliver("INBOX", make_mail("spam", 6))
    assert place.move("INBOX", "Junk") == 1
    place.imap.select("Junk")
    _, (found,) = place.imap.search(None, "ALL")
    assert found
    place.start_daemon()


def test_the_scripts_compile_without_a_warning(place):
    for name in ("neurald-spam.sieve", "neurald-ham.sieve"):
        done = subprocess.run(
            ["sievec", "-c", place.folder / "dovecot.conf",
             place.folder / "scripts" / name], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "warning" not in done.stdout
