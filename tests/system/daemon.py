# SPDX-License-Identifier: Apache-2.0
"""A daemon for a test: started on a free port, asked over HTTP, stopped."""
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import time

READ = "read-token-of-the-test"
LEARN = "learn-token-of-the-test"
ADMIN = "admin-token-of-the-test"
SECONDS = 30  # for anything that a loaded machine may take long for


class Answer:
    """What came back."""

    def __init__(self, response, body):
        self.code = response.status
        self.headers = {name.lower(): value
                        for name, value in response.getheaders()}
        self.body = body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=SECONDS)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(SECONDS)
        self.sock.connect(self.path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Daemon:
    """neurald serve, with a token file unless tokens is empty; port is given
    where the configuration says where to listen."""

    def __init__(self, neurald, folder, *arguments, tokens=(LEARN, ADMIN),
                 before=(), port=None, output=None, **options):
        self.port = port or free_port()
        self.socket = folder / "http"
        self.log = folder / "serve.log"
        self.tokens = folder / "tokens"
        self.arguments = [*before, "serve", *arguments]
        if port is None and "--listen" not in arguments:
            self.arguments += ["--listen", f"127.0.0.1:{self.port}",
                               f"unix:{self.socket}"]
        if tokens:
            roles = {READ: "read", LEARN: "learn", ADMIN: "admin"}
            self.tokens.write_text("".join(
                f"{roles[token]} {token}\n" for token in tokens))
            self.tokens.chmod(0o600)
            self.arguments += ["--token-file", self.tokens]
        self.output = open(self.log, "ab")
        output = self.output if output is None else output
        self.process = neurald.start(*self.arguments, stderr=output,
                                     stdout=output, **options)

    def __enter__(self):
        self.wait_until(lambda: self.is_alive())
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.close()

    def is_alive(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").code == 200
        except OSError:
            return False

    def wait_until(self, condition, seconds=SECONDS):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def wait_until_ready(self):
        self.wait_until(lambda: self.get("/readyz").code == 200)

    def wait_for_model(self, above=0):
        self.wait_until(
            lambda: self.get("/readyz").json["rules"][0]["generation"] > above)

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port,
                                          timeout=SECONDS)

    def ask(self, method, target, body=None, token=None, type=None,
            connection=None, **headers):
        own = connection or self.connect()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if type:
            headers["Content-Type"] = type
        own.request(method, target, body, headers)
        response = own.getresponse()
        answer = Answer(response, response.read())
        if connection is None:
            own.close()
        return answer

    def get(self, target, **options):
        return self.ask("GET", target, **options)

    def post(self, target, body=None, **options):
        return self.ask("POST", target, body, **options)

    def score(self, message, query="", **options):
        answer = self.post("/v1/score" + query, message,
                           type="message/rfc822", **options)
        assert answer.code == 200, answer.body
        return answer.json

    def score_findings(self, findings, query="", **options):
        answer = self.post("/v1/score" + query, json.dumps(findings),
                           type="application/json", **options)
        assert answer.code == 200, answer.body
        return answer.json

    def learn(self, message, label, query="", token=LEARN):
        return self.post(f"/v1/learn?class={label}{query}", message,
                         token=token, type="message/rfc822")

    def train(self, query="?force=1"):
        """Trains to the end, and answers the job."""
        answer = self.post("/v1/train" + query, token=ADMIN)
        assert answer.code == 202, answer.body
        number = answer.json["id"]
        job = {}

        def ended():
            job.update(self.get(f"/v1/jobs/{number}").json)
            return job["state"] == "ended"
        self.wait_until(ended, 120)
        return job

    def metric(self, name, **labels):
        """The value of a metric; the sum of those whose labels fit."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(name + " ") or line.startswith(name + "{"):
                if all(f'{key}="{value}"' in line
                       for key, value in labels.items()):
                    total += float(line.rsplit(" ", 1)[1])
        return total

    def child(self, argument):
        """The process id of a child of the daemon, once there is one."""
        found = []

        def look():
            done = subprocess.run(
                ["pgrep", "-P", str(self.process.pid), "-f", "--", argument],
                capture_output=True, text=True, check=False)
            found[:] = done.stdout.split()
            return found
        self.wait_until(look)
        return int(found[0])

    def reload(self):
        before = self.metric("neurald_reloads_total")
        self.process.send_signal(signal.SIGHUP)
        self.wait_until(
            lambda: self.metric("neurald_reloads_total") > before)

    def stop(self):
        """Stops it as systemd does, and answers how long that took."""
        start = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(SECONDS)
        assert self.process.returncode == 0, self.log.read_text()
        return time.monotonic() - start
