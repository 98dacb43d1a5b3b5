# SPDX-License-Identifier: Apache-2.0
"""A real rspamd and a real redis-server for tests: in a folder of their own, on
loopback and free ports, without DNS, stopped by the test."""
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SECONDS = 120

# What is set on top of Debian's configuration: no DNS, no network, no other
# module that learns, and labels by a header, with symbols that no network sees.
LOCAL = {
    "options.inc": """
        dns { nameserver = ["127.0.0.1:9"]; timeout = 0.01s; retransmits = 0; }
        local_addrs = "";
        disable_hyperscan = true; # compiling takes longer than the tests
        control_socket = "$RUNDIR/control.sock mode=0600";
    """,
    "logging.inc": 'level = "info"; debug_modules = ["neural", "neurald"];',
    "worker-normal.inc":
        'bind_socket = "127.0.0.1:{scan}"; count = {scanners};',
    "worker-controller.inc":
        'bind_socket = "127.0.0.1:{control}"; count = 1;',
    "worker-proxy.inc": "count = 0; enabled = false;",
    "redis.conf": 'servers = "127.0.0.1:{redis}";',
    **{f"{name}.conf": "enabled = false;" for name in (
        "arc", "asn", "bayes_expiry", "clickhouse", "dkim", "dkim_signing",
        "dmarc", "elastic", "fuzzy_check", "greylist", "history_redis", "hfilter",
        "metadata_exporter", "mx_check", "p0f", "phishing", "ratelimit", "rbl",
        "replies", "reputation", "spf", "surbl", "url_redirector",
        "whitelist")},
    "statistic.conf": "",
}
# In the shipped neural.conf itself, since a whole train section of override.d
# would take the place of the shipped one.
NEURAL = [("#servers = \"127.0.0.1:6379\"", "servers = \"127.0.0.1:{redis}\""),
          ("watch_interval = 60s", "watch_interval = 1s"),
          ("autotrain = true", "autotrain = true; spam_score = 15; "
                               "ham_score = -15")]
LABELS = """
for label, score in pairs({spam = 30.0, ham = -30.0}) do
  rspamd_config:register_symbol({
    name = 'TEST_LABEL_' .. label:upper(), type = 'normal',
    flags = 'nostat,nice', score = score, group = 'test',
    callback = function(task)
      return task:get_request_header('X-Label') and
          tostring(task:get_request_header('X-Label')) == label
    end})
end
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Redis:
    """A server, and commands to it."""

    def __init__(self, folder):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1",
             "--dir", str(folder), "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: self("PING") == b"PONG", "redis-server")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def __call__(self, *words):
        with socket.create_connection(("127.0.0.1", self.port), 10) as link:
            parts = [word if isinstance(word, bytes) else str(word).encode()
                     for word in words]
            link.sendall(b"*%d\r\n" % len(parts) + b"".join(
                b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            with link.makefile("rb") as replies:
                return self.read(replies)

    def read(self, replies):
        line = replies.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"*":
            return [self.read(replies) for _ in range(int(rest))]
        if kind == b"$":
            if rest == b"-1":
                return None
            return replies.read(int(rest) + 2)[:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        return int(rest) if kind == b":" else rest

    def stop(self):
        self.process.kill()
        self.process.wait()


def wait_for(condition, what, seconds=SECONDS):
    """Polls until the condition holds, and answers what it answered."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except (OSError, http.client.HTTPException):
            found = None
        if found:
            return found
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)


class Rspamd:
    """Debian's rspamd with the configuration that packaging/ ships; with files
    (of override.d) the plugin is on if neurald.conf is one of them."""

    def __init__(self, folder, redis, scanners=1, files=(), extra_lua=""):
        self.folder = folder
        self.scan_port, self.control_port = free_port(), free_port()
        ports = {"scan": self.scan_port, "control": self.control_port,
                 "redis": redis.port, "scanners": scanners}
        shutil.copytree(ROOT / "packaging/rspamd/local.d", folder / "local.d")
        neural = folder / "local.d/neural.conf"
        for shipped, ours in NEURAL:
            text = neural.read_text()
            assert shipped in text, shipped
            neural.write_text(text.replace(
                shipped, ours.replace("{redis}", str(redis.port))))
        (folder / "override.d").mkdir()
        for name, text in {**LOCAL, **dict(files)}.items():
            for port, number in ports.items():
                text = text.replace(f"{{{port}}}", str(number))
            (folder / "override.d" / name).write_text(text + "\n")
        (folder / "rspamd.local.lua").write_text(LABELS + extra_lua)
        if "neurald.conf" in dict(files):
            (folder / "plugins.d").mkdir()
            shutil.copy(ROOT / "packaging/rspamd/neurald.lua",
                        folder / "plugins.d")
            shutil.copy(ROOT / "packaging/rspamd/rspamd.conf.local", folder)
        for name in ("run", "log", "db"):
            (folder / name).mkdir()
            os.chmod(folder / name, 0o777)
        self.process = subprocess.Popen(
            ["rspamd", "--no-fork", "--insecure", "-c",
             "/etc/rspamd/rspamd.conf", f"--var=LOCAL_CONFDIR={folder}",
             f"--var=RUNDIR={folder}/run", f"--var=LOGDIR={folder}/log",
             f"--var=DBDIR={folder}/db"],
            stdin=subprocess.DEVNULL, stdout=open(folder / "out", "wb"),
            stderr=subprocess.STDOUT, start_new_session=True)
        wait_for(self.answers, "rspamd")

    def answers(self):
        assert self.process.poll() is None, (
            (self.folder / "out").read_text() + self.log[-3000:])
        return self.request("GET", "/ping", b"", {}).strip() == b"pong"

    def request(self, method, path, body, headers):
        link = http.client.HTTPConnection("127.0.0.1", self.scan_port,
                                          timeout=60)
        try:
            link.request(method, path, body, headers)
            return link.getresponse().read()
        finally:
            link.close()

    def scan(self, message, label=None, **headers):
        """The scan's result; a label makes rspamd store the vector."""
        if label:
            headers["X-Label"] = label
        return json.loads(self.request("POST", "/checkv2", message, headers))

    @property
    def log(self):
        return (self.folder / "log/rspamd.log").read_text(errors="replace")

    def stop(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()


def unpack(data):
    """What a zstd frame holds."""
    return subprocess.run(["zstd", "-qdc"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout
