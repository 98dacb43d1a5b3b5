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
import socket
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
auth_username_chars =
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
  mailbox Papierkorb {{
    auto = create
    special_use = \\Trash
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

    def connect(self, user="ann"):
        assert self.dovecot.poll() is None, (self.folder / "out").read_text()
        imap = imaplib.IMAP4("127.0.0.1", self.imap_port)
        imap._simple_command("LOGIN", imap._quote(user), "x")
        imap.state = "AUTH"
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

    def move(self, source, target, imap=None):
        """Moves what is in source, and answers how many."""
        imap = imap or self.imap
        imap.select(source)
        _, (found,) = imap.search(None, "ALL")
        numbers = found.split()
        status, answer = imap._simple_command(
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


@pytest.mark.parametrize("mailbox", ["Trash", "Trash.old", "Papierkorb",
                                     "Junk.old"])
def test_throwing_away_is_no_learning(place, mailbox):
    spam, ham = place.counts()
    place.imap.create(mailbox)
    place.deliver("Junk", make_mail("spam", 30))
    assert place.move("Junk", mailbox) >= 1
    place.deliver("Junk", make_mail("ham", 31))
    assert place.move("Junk", "Archive") == 1  # what would come behind it
    wait_for(lambda: outcome_of(place, make_mail("ham", 31)), "the label", 30)
    assert outcome_of(place, make_mail("spam", 30)) is None
    place.ask("POST", "/v1/forget", make_mail("ham", 31))
    assert place.counts() == (spam, ham)


def outcome_of(place, message):
    """As what a message is known; None: not at all."""
    for label in ("spam", "ham"):
        told = place.ask("POST", f"/v1/relabel?class={label}&dry_run=1",
                         message)["rules"][0]
        if told["unchanged"]:
            return label
    return None


def waiting(place, user="ann"):
    folder = place.folder / "mail" / user / "neurald-labels"
    return [path.name for path in folder.iterdir() if path.suffix != ".lock"
            and path.name != "lock"] if folder.exists() else []


def test_labels_wait_for_a_daemon_that_is_away_or_hangs(place):
    """The move does not, and the log says so; what waited arrives once it is
    back, in its order."""
    place.daemon.kill()
    place.daemon.wait()
    place.deliver("INBOX", make_mail("spam", 6))
    assert place.move("INBOX", "Junk") >= 1
    wait_for(lambda: "cannot ask the daemon" in place.log, "the log", 30)
    with socket.create_server(("127.0.0.1", place.port), backlog=64):
        for number in range(40, 60):
            place.deliver("INBOX", make_mail("spam", number))
        began = time.monotonic()
        assert place.move("INBOX", "Junk") == 20
        # Dovecot would wait 10 s for each.
        assert time.monotonic() - began < 60
        assert len(waiting(place)) >= 21
    place.start_daemon()
    assert place.move("Junk", "INBOX") >= 20  # the first of them tries again
    wait_for(lambda: not waiting(place), "the labels", 60)
    assert outcome_of(place, make_mail("spam", 45)) == "ham"
    assert place.move("INBOX", "Junk") >= 20
    wait_for(lambda: outcome_of(place, make_mail("spam", 45)) == "spam",
             "the last label", 60)


@pytest.mark.parametrize("user", ["a;b c", "o'hara \"x\"", "$HOME`id`",
                                  "a\\b*%?&|"])
def test_odd_names_of_users_do_no_harm(place, user):
    imap = place.connect(user)
    message = make_mail("spam", 600 + len(user))
    assert imap.append("INBOX", None, None, message)[0] == "OK"
    assert place.move("INBOX", "Junk", imap) == 1
    imap.logout()
    wait_for(lambda: outcome_of(place, message) == "spam", "the label", 30)


@pytest.mark.parametrize("message", [
    make_mail("spam", 700) + b"\r\n" + b"0123456789abcde\n" * 1250000,
    make_mail("spam", 701).replace(b"\n\n", b"\n\n\0\0", 1) + b"\0body\0",
    b"\n", b"no header at all \xff\0\n"], ids=["20 MB", "NUL", "empty", "odd"])
def test_odd_messages_are_moved_and_learned(place, message):
    spam, ham = place.counts()
    place.deliver("INBOX", message)
    assert place.move("INBOX", "Junk") >= 1
    wait_for(lambda: not waiting(place) and place.counts() != (spam, ham),
             "the label", 60)
    assert place.counts() == (spam + 1, ham)


def test_without_a_place_for_the_queue_the_daemon_is_asked_at_once(place):
    script = place.folder / "scripts/neurald-learn"
    message = make_mail("spam", 800)
    done = subprocess.run([script, "spam"], input=message,
                          env={"HOME": "/proc", "PATH": os.environ["PATH"]},
                          stderr=subprocess.PIPE, text=False, check=False)
    assert done.returncode == 0 and b"no queue" in done.stderr, done.stderr
    assert outcome_of(place, message) == "spam"


def test_the_scripts_compile_without_a_warning(place):
    for name in ("neurald-spam.sieve", "neurald-ham.sieve"):
        done = subprocess.run(
            ["sievec", "-c", place.folder / "dovecot.conf",
             place.folder / "scripts" / name], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode == 0, done.stdout
        assert "warning" not in done.stdout
