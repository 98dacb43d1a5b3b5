#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon under load, driven by wrk on the same processors.

    tests/bench/bench_serve.py [--quick] [--flat | --training]

Scores scan results whose symbols the model knows, and whole messages, over
keep-alive connections; then the first again beside 1,000 idle and 200 slow
connections. Each figure stands beside
GET /healthz of the same daemon, measured in turns with it: on a shared machine
the ratio says more than the number, and so does the processor time that the
daemon took for a request. --flat sends 1,000,000 requests and tells the memory
before and after.

What a training costs is measured at a tenth of that rate, since a 99th
percentile of a daemon that has all it can do says nothing but that. Windows
with and without it take turns, its process being stopped for the second, and
medians are compared. Where perf can trace the scheduler, it also tells how long
the daemon's threads waited for a processor that the trainer had, which other
load of the machine does not change.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("NEURALD", ROOT / "build/neurald"))
SCANS = ROOT / "tests/data/sa_rspamd_scan.jsonl.zst"
TOKEN = "token-of-the-benchmark"
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def read_scans():
    text = subprocess.run(["zstd", "-dc", SCANS], check=True,
                          capture_output=True).stdout
    return [json.loads(line) for line in text.splitlines()]


def make_mail(label, number):
    """A message of two parts and 6 KiB, always the same for a number."""
    chance = random.Random(f"{label} {number}")
    words = ["w" + "".join(chance.choices("aeiourstnlm", k=6))
             for _ in range(300)] + [label] * 30
    text = "\n".join(" ".join(chance.choices(words, k=10)) for _ in range(30))
    html = "".join(f"<p>{line} <a href='http://h{number}.example/{i}'>x</a></p>"
                   for i, line in enumerate(text.splitlines()))
    return f"""Received: from h{number}.example by mx.example.org; \
Thu, 1 Oct 2026 10:00:00 +0000
Message-ID: <{label}.{number}@h{number}.example>
Date: Thu, 1 Oct 2026 10:00:00 +0000
From: {words[0]} <{words[1]}@h{number}.example>
To: user@example.org
Subject: {" ".join(words[2:8])}
MIME-Version: 1.0
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

{text}
--b
Content-Type: text/html; charset=utf-8

<html><body>{html}</body></html>
--b--
""".encode()


class Daemon:
    def __init__(self, folder):
        self.port = free_port()
        self.folder = folder
        tokens = folder / "tokens"
        tokens.write_text(f"admin {TOKEN}\n")
        tokens.chmod(0o600)
        self.configuration = folder / "neurald.conf"
        self.configure()
        self.process = subprocess.Popen(
            [PROGRAM, "--config", self.configuration, "--token-file", tokens,
             "serve", "--listen", f"127.0.0.1:{self.port}"])
        while self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/readyz")
                return
            time.sleep(0.05)
        sys.exit("bench_serve: the daemon does not start")

    def configure(self, rule=""):
        self.configuration.write_text(
            f'store = "sqlite:{self.folder}/neurald.db"\n'
            'serve {\n log_level = warning\n idle_time = 1h\n'
            ' request_time = 1h\n}\n'
            f'rule default {{\n train_interval = 1d\n {rule}\n}}\n')

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path):
        with urllib.request.urlopen(self.url(path)) as answer:
            return json.load(answer)

    def post(self, path, body=b"", kind="application/json"):
        request = urllib.request.Request(
            self.url(path), data=body, method="POST", headers={
                "Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
            if body else {"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def wait_for_job(self, number):
        while self.get(f"/v1/jobs/{number}")["state"] != "ended":
            time.sleep(0.2)

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text()
        user, system = fields.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / TICKS

    def resident_kib(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def teach(daemon, scans):
    """Learns scan results, and trains once."""
    from concurrent.futures import ThreadPoolExecutor

    def put(item):
        number, scan = item
        scan = {**scan, "identity": f"{number:032x}"}
        daemon.post(f"/v1/learn?class={scan['label']}",
                    json.dumps(scan).encode())
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(put, enumerate(scans)))
    number = daemon.post("/v1/train?force=1")["id"]
    daemon.wait_for_job(number)
    ended = daemon.get(f"/v1/jobs/{number}")
    if ended["status"] != "ok":
        sys.exit(f"bench_serve: {ended['detail']}")
    while daemon.get("/readyz")["rules"][0]["generation"] == 0:
        time.sleep(0.1)


def write_script(folder, name, bodies, kind):
    """A script for wrk that sends the bodies in turn."""
    for number, body in enumerate(bodies):
        (folder / f"{name}.{number}").write_bytes(body)
    script = folder / f"{name}.lua"
    script.write_text(f"""
local requests, at = {{}}, 0
function init()
    for number = 0, {len(bodies) - 1} do
        local file = io.open("{folder}/{name}." .. number, "rb")
        requests[number] = wrk.format("POST", "/v1/score",
            {{["Content-Type"] = "{kind}"}}, file:read("*a"))
        file:close()
    end
end
function request()
    at = (at + 1) % {len(bodies)}
    return requests[at]
end
""")
    return script


def wrk(daemon, seconds, script=None, path="/v1/score", connections=16):
    """Requests a second, 99th percentile in ms, processor us a request."""
    before = daemon.processor_seconds()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency",
               *(["-s", script] if script else []), daemon.url(path)]
    text = subprocess.run(command, check=True, capture_output=True,
                          text=True).stdout
    used = daemon.processor_seconds() - before
    if "Non-2xx" in text or "Socket errors" in text:
        print(text)
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    count = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    late = float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return rate, late, used * 1e6 / max(count, 1)


class Report:
    """Lines, each beside the bare request measured right before it."""

    def __init__(self, daemon, seconds):
        self.daemon = daemon
        self.seconds = seconds
        print(f"{'':<34} {'a second':>9} {'p99 ms':>7} {'cpu us':>7}"
              f" {'of bare':>8}")

    def line(self, name, figures, bare=None):
        rate, late, cost = figures
        share = f"{rate / bare[0]:8.2f}" if bare else ""
        print(f"{name:<34} {rate:9.0f} {late:7.2f} {cost:7.1f} {share}",
              flush=True)

    def measure(self, name, script, **options):
        bare = wrk(self.daemon, self.seconds, path="/healthz", **options)
        figures = wrk(self.daemon, self.seconds, script, **options)
        self.line("bare, GET /healthz", bare)
        self.line(name, figures, bare)
        return figures


@contextlib.contextmanager
def other_connections(daemon, idle, slow):
    """Connections that wait, and ones that send a byte now and then."""
    address = ("127.0.0.1", daemon.port)
    waiting = [socket.create_connection(address) for _ in range(idle)]
    script = f"""
import socket, time
slow = []
for _ in range({slow}):
    one = socket.create_connection({address!r})
    one.sendall(b"POST /v1/score HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: "
                b"message/rfc822\\r\\nContent-Length: 100000\\r\\n\\r\\n")
    slow.append(one)
print("ready", flush=True)
while True:
    for one in slow:
        one.sendall(b"x")
    time.sleep(1)
"""
    process = subprocess.Popen([sys.executable, "-c", script],
                               stdout=subprocess.PIPE)
    process.stdout.readline()
    yield
    process.kill()
    process.wait()
    for one in waiting:
        one.close()


def measure_all(daemon, folder, findings, messages, seconds):
    report = Report(daemon, seconds)
    report.measure("scan results", findings)
    report.measure("messages", messages)
    alone = wrk(daemon, seconds, findings)
    with other_connections(daemon, 1000, 200):
        beside = wrk(daemon, seconds, findings)
    again = wrk(daemon, seconds, findings)
    before = ((alone[0] + again[0]) / 2, max(alone[1], again[1]),
              (alone[2] + again[2]) / 2)
    report.line("scan results, before and after", before)
    report.line("with 1,000 idle, 200 slow", beside, before)
    measure_training(daemon, folder, findings)


# ---- beside a training ----

PACED = """
function delay()
    return math.random(0, 20)
end
"""
SWITCH = re.compile(r"\[(\d+)\] +([\d.]+): +sched:sched_(switch|wakeup): (.*)")


def start_training(daemon):
    """One that goes on for long; answers the child's process id."""
    # A stopped child looks like one that starves: it is never to compete.
    daemon.configure("max_iterations = 10000\n seeds = 16\n train_share = 0")
    daemon.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    number = daemon.post("/v1/train?force=1")["id"]
    while not daemon.get(f"/v1/jobs/{number}")["stage"].startswith("cand"):
        time.sleep(0.05)
    return int(subprocess.run(
        ["pgrep", "-P", str(daemon.process.pid), "-f", "--",
         "--trainer-child"], capture_output=True, text=True,
        check=True).stdout)


def waits_behind(child, threads, events):
    """How long, in ms, each thread that woke up waited on the processor that
    the child had."""
    woken, waits = {}, []
    for line in events.splitlines():
        found = SWITCH.search(line)
        if not found:
            continue
        now = float(found[2])
        pids = [int(pid) for pid in re.findall(r"pid=(\d+)", found[4])]
        if found[3] == "wakeup" and pids[0] in threads:
            woken.setdefault(pids[0], now)
        elif found[3] == "switch" and pids[1] in woken:
            waited = (now - woken.pop(pids[1])) * 1000
            waits += [waited] if pids[0] == child else []
    return waits


def trace_waits(daemon, child, script):
    """None where perf cannot trace."""
    load = subprocess.Popen(
        ["wrk", "-t1", "-c32", "-d12", "-s", script, daemon.url("/v1/score")],
        stdout=subprocess.DEVNULL)
    events = ""
    with contextlib.suppress(OSError):
        for _ in range(4):
            record = daemon.folder / "perf.data"
            subprocess.run(
                ["perf", "record", "-q", "-a", "-m", "4096", "-e",
                 "sched:sched_switch,sched:sched_wakeup", "-o", record,
                 "sleep", "2"], check=False, stderr=subprocess.DEVNULL)
            events += subprocess.run(
                ["perf", "script", "-i", record, "--ns", "-F",
                 "cpu,time,event,trace"], check=False, capture_output=True,
                text=True).stdout
    load.wait()
    threads = {int(name) for name in
               os.listdir(f"/proc/{daemon.process.pid}/task")}
    return waits_behind(child, threads, events) if events else None


def measure_training(daemon, folder, findings, rounds=40):
    script = folder / "paced.lua"
    script.write_text(findings.read_text() + PACED)
    child = start_training(daemon)
    with_one, without = [], []
    for number in range(2 * rounds):
        # in turns, and each as often before the other as behind it
        stopped = number % 4 in (0, 3)
        os.kill(child, signal.SIGSTOP if stopped else signal.SIGCONT)
        (without if stopped else with_one).append(
            wrk(daemon, 1, script, connections=32))
    os.kill(child, signal.SIGCONT)
    middle = [tuple(statistics.median(column) for column in zip(*windows))
              for windows in (without, with_one)]
    report = Report(daemon, 1)
    report.line("paced, no training (median)", middle[0])
    report.line("paced, beside one (median)", middle[1], middle[0])
    print(f"p99 beside a training: {middle[1][1] / middle[0][1]:.2f} times, "
          f"medians of {rounds} windows in turns")
    waits = trace_waits(daemon, child, script)
    if waits is None:
        print("waits behind the trainer: perf cannot trace here")
    else:
        print(f"waits behind the trainer: {len(waits)} in 8 s, the median "
              f"{statistics.median(waits or [0]):.3f} ms, "
              f"{sum(wait > 1 for wait in waits)} of over 1 ms")


def measure_memory(daemon, findings, requests):
    sent, before = 0, None
    while sent < requests:
        rate, _, _ = wrk(daemon, 10, findings)
        sent += int(rate * 10)
        if before is None:
            before = daemon.resident_kib()
            print(f"resident after {sent:,} requests: {before} KiB")
    after = daemon.resident_kib()
    print(f"resident after {sent:,} requests: {after} KiB "
          f"({after - before:+d})")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 s a figure")
    parser.add_argument("--training", action="store_true",
                        help="only what a training costs")
    parser.add_argument("--flat", action="store_true",
                        help="1,000,000 requests, and the memory")
    options = parser.parse_args()
    scans = random.Random(1).sample(read_scans(), 1500)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        daemon = Daemon(folder)
        try:
            teach(daemon, scans)
            findings = write_script(folder, "findings", [
                json.dumps({"symbols": scan["symbols"], "id": scan["id"]})
                .encode() for scan in scans[::15]], "application/json")
            messages = write_script(folder, "messages", [
                make_mail(label, number) for number in range(50)
                for label in ("spam", "ham")], "message/rfc822")
            if options.flat:
                measure_memory(daemon, findings, 1_000_000)
            elif options.training:
                measure_training(daemon, folder, findings)
            else:
                measure_all(daemon, folder, findings, messages,
                            2 if options.quick else 10)
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
