# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the program, mail made on the spot, stores.

The program is the one that NEURALD names, else build/neurald. Every test works
in a folder of its own; nothing outside of it is written.
"""
import atexit
import json
import os
import pathlib
import random
import shutil
import subprocess
import tempfile
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("NEURALD", ROOT / "build/neurald"))
SECONDS = 120  # of one run of the program

SPAM_WORDS = """winner prize casino viagra cheap pills offer click unsubscribe
    guarantee million dollars inheritance urgent lottery discount refinance
    mortgage replica watches enlarge miracle credit earn income""".split()
HAM_WORDS = """meeting patch kernel review branch thanks attached schedule lunch
    project report server compile thread mailing function pointer deadline
    question regards notes merge release budget tuesday""".split()
COMMON_WORDS = """the a of to and in is it you that for on with as this be at
    have from or by not but what all we when can there""".split()


def open_to_all(program):
    """The program, or a copy where other users may not come to it: some tests
    run it as one."""
    closed = any(folder.stat().st_mode & 0o001 == 0
                 for folder in program.parents)
    if os.geteuid() != 0 or not closed or not program.exists():
        return program
    folder = tempfile.mkdtemp(prefix="nd-program-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chmod(folder, 0o755)
    return pathlib.Path(shutil.copy(program, folder))


PROGRAM = open_to_all(PROGRAM)


class Result:
    """How a run of the program ended."""

    def __init__(self, process):
        self.status = process.returncode
        self.out = process.stdout
        self.err = process.stderr.decode(errors="replace")

    @property
    def text(self):
        return self.out.decode()

    @property
    def lines(self):
        """Standard output as JSON, an object a line."""
        return [json.loads(line) for line in self.text.splitlines()]

    @property
    def json(self):
        """The one object of standard output."""
        assert len(self.lines) == 1, self.text
        return self.lines[0]


class Neurald:
    """Runs the program with a home of its own."""

    def __init__(self, home, program=PROGRAM):
        self.home = pathlib.Path(home)
        self.program = program
        self.environment = {
            **{name: value for name, value in os.environ.items()
               if name not in ("HOME", "XDG_STATE_HOME")},
            "HOME": str(self.home),
        }

    @property
    def store(self):
        return self.home / ".local/state/neurald/neurald.db"

    def start(self, *arguments, around=(), **options):
        """The program as a process that runs on, started by what is around."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("cwd", self.home)
        return subprocess.Popen([*around, self.program, *map(str, arguments)],
                                env=self.environment, **options)

    def run(self, *arguments, data=b"", **options):
        """Runs to the end, whatever that is."""
        options.setdefault("cwd", self.home)
        if "stdin" not in options:
            options["input"] = data
        options.setdefault("stdout", subprocess.PIPE)
        return Result(subprocess.run(
            [self.program, *map(str, arguments)], env=self.environment,
            stderr=subprocess.PIPE, timeout=SECONDS, check=False, **options))

    def ok(self, *arguments, **options):
        """Runs, and must succeed."""
        result = self.run(*arguments, **options)
        assert result.status == 0, (arguments, result.status, result.err)
        return result

    def fails(self, status, *arguments, words=(), **options):
        """Runs, and must end with that status and name these words."""
        result = self.run(*arguments, **options)
        assert result.status == status, (arguments, result.status, result.err)
        assert "neurald: " in result.err
        for word in [words] if isinstance(words, str) else words:
            assert word in result.err, (word, result.err)
        return result


def sentence(chance, words, count):
    return " ".join(chance.choice(words if chance.random() < 0.4
                                  else COMMON_WORDS) for _ in range(count))


def make_mail(label, number, **extra):
    """A message of that class, always the same for the same number."""
    chance = random.Random(f"{label} {number}")
    words = SPAM_WORDS if label == "spam" else HAM_WORDS
    host = f"host{chance.randrange(40)}.example"
    date = f"{1 + number % 28} Oct 2026 10:{number // 60 % 60:02}:" \
           f"{number % 60:02} +0000"
    headers = {
        "Received": f"from {host} by mx.example.org; Thu, {date}",
        "Message-ID": f"<{label}.{number}@{host}>",
        "Date": f"Thu, {date}",
        "From": f"{chance.choice(words)} <{chance.choice(words)}@{host}>",
        "To": "user@example.org",
        "Subject": sentence(chance, words, 5),
        "Content-Type": "text/plain; charset=utf-8",
        **extra,
    }
    body = "\n".join(sentence(chance, words, 9) for _ in range(12))
    if label == "spam":
        body += f"\nhttp://{host}/{chance.choice(words)}\n"
    head = "".join(f"{name}: {value}\n" for name, value in headers.items())
    return (head + "\n" + body + "\n").encode()


def fill_folder(folder, label, numbers):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f"{label}-{number:04}.eml").write_bytes(
            make_mail(label, number))
    return folder


def children(pid):
    """Process ids of the children that the main thread of a process has."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []  # it has just ended


def high_water(pid):
    """The peak memory in MiB of a running neurald; 0 where it has ended.

    What wait4 tells would count this test's own memory too, which the new
    process shares for a moment.
    """
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        ours = lines["Name"].strip() in ("neurald", "exe")
        return int(lines["VmHWM"].split()[0]) / 1024 if ours else 0
    except (OSError, KeyError):
        return 0


def peak_of(process, seconds=60):
    """The peak memory in MiB of a process that runs until it ends, and that of
    its trainer child."""
    peaks, deadline = {}, time.monotonic() + seconds
    while process.poll() is None:
        assert time.monotonic() < deadline
        for pid in (process.pid, *children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0), high_water(pid))
        time.sleep(0.001)
    return sum(peaks.values())


def trainer_of(process):
    """The process id of the trainer child, once it runs."""
    deadline = time.monotonic() + 20
    while not children(process.pid):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    return children(process.pid)[0]


def unprivileged(path):
    """Options that run the program as nobody where the test is root.

    The folders above path are opened to all for it.
    """
    if os.geteuid() != 0:
        return {}
    for folder in path.parents:
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(folder.stat().st_mode | 0o005)
        if folder.parent == folder.parent.parent:
            break
    return {"user": 65534, "group": 65534, "extra_groups": []}


@pytest.fixture
def neurald(tmp_path):
    assert PROGRAM.exists(), f"build {PROGRAM} first, or set NEURALD"
    home = tmp_path / "home"
    home.mkdir()
    return Neurald(home)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Folders spam and ham with 80 messages each."""
    folder = tmp_path_factory.mktemp("corpus")
    for label in ("spam", "ham"):
        fill_folder(folder / label, label, range(80))
    return folder


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory, corpus):
    """A home whose store has samples and a model, to be copied."""
    program = Neurald(tmp_path_factory.mktemp("trained"))
    program.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    program.ok("train")
    return program.home


@pytest.fixture
def trained(neurald, trained_home):
    """The program with a store that has samples and a model."""
    shutil.copytree(trained_home, neurald.home, dirs_exist_ok=True)
    return neurald


@pytest.fixture
def mail(tmp_path):
    """Writes one message, and answers its path."""
    def write(label="spam", number=1000, name=None, data=None, **extra):
        path = tmp_path / (name or f"{label}-{number}.eml")
        path.write_bytes(make_mail(label, number, **extra)
                         if data is None else data)
        return path
    return write


@pytest.fixture
def configured(tmp_path):
    """Writes a configuration file, and answers its path."""
    def write(text):
        path = tmp_path / "neurald.conf"
        path.write_text(text)
        return path
    return write
