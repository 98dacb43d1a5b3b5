# SPDX-License-Identifier: Apache-2.0
"""What samples cost in Redis, beside rspamd's way of storing the same messages
in the same run, and how soon a new model is in use everywhere.

Samples are the 4,606 training messages of tests/data: rspamd's symbols, and
the 26 facts about each that its vectors hold (of a vector of the same label).
Counted is the server's used_memory with all of them less that with the first:
samples, index, registry, profile, and whatever the server takes for them, but
not what it takes once for running scripts (some 430 kB). rspamd's form is its
vector as text with `;` between, packed by zstd, in a set a class; its numbers
have six digits here and up to fourteen in rspamd, which makes them smaller."""

import contextlib
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

import peers

DATA = peers.ROOT / "tests/data"
BUILD = pathlib.Path(os.environ.get("NEURALD_BUILD", peers.ROOT / "build"))
COST = BUILD / "tests/bench/redis_cost"
PROCESSES, TRAININGS = 10, 5
METATOKENS, INPUTS = 26, 220


class Redis:
    """A redis-server of its own, on a unix socket, that stores no file."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="neurald-bench-")
        self.socket = f"{self.folder}/redis.sock"
        self.url = f"redis+unix://{self.socket}"
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.socket,
             "--save", "", "--appendonly", "no", "--dir", self.folder],
            stdout=subprocess.DEVNULL)
        for _ in range(500):
            if os.path.exists(self.socket):
                break
            time.sleep(0.01)
        return self

    def __exit__(self, *unused):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder)

    def used(self):
        """Bytes in use once the clients' buffers are gone."""
        time.sleep(1.5)
        done = subprocess.run(
            ["redis-cli", "-s", self.socket, "INFO", "memory"],
            stdout=subprocess.PIPE, text=True, check=True)
        return int(done.stdout.split("used_memory:")[1].split()[0])


def run(part, *arguments):
    done = subprocess.run([COST, part, *map(str, arguments)], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def unpack(name):
    return subprocess.run(["zstd", "-qdc", str(DATA / (name + ".zst"))],
                          check=True, stdout=subprocess.PIPE,
                          text=True).stdout.splitlines()


def write_inputs(folder):
    """The messages as scan results for us, and as vectors for the peer."""
    facts = {"ham": [], "spam": []}
    with open(folder / "vectors", "w", encoding="ascii") as out:
        for line in unpack("sa_rspamd_vectors.svm"):
            label, *entries = line.split()
            values = ["0"] * INPUTS
            for entry in entries:
                column, value = entry.split(":")
                values[int(column) - 1] = value
            out.write(f"{label} {';'.join(values)}\n")
            facts["spam" if label == "1" else "ham"].append(
                {f"fact_{i}": float(value) for i, value
                 in enumerate(values[:METATOKENS]) if value != "0"})
    with open(folder / "scans", "w", encoding="ascii") as out:
        for scan in map(json.loads, unpack("sa_rspamd_scan.jsonl")):
            if scan["split"] == "train":
                out.write(json.dumps({
                    "label": scan["label"], "symbols": scan["symbols"],
                    "metatokens": facts[scan["label"]].pop()}) + "\n")


def first_of(folder, name):
    """A file with the first line alone."""
    path = folder / f"first-{name}"
    path.write_text((folder / name).read_text().split("\n", 1)[0] + "\n")
    return path


def store_peer(folder):
    with Redis() as redis:
        run("peer", redis.socket, first_of(folder, "vectors"))
        before = redis.used()
        found = run("peer", redis.socket, folder / "vectors")
        found["bytes"] = (redis.used() - before) / (found["samples"] - 1)
    return found


def store_ours(folder):
    """Figures of all, of as many others one at a time, and in batches."""
    with Redis() as redis:
        run("learn", redis.url, first_of(folder, "scans"))
        before = redis.used()
        found = run("learn", redis.url, folder / "scans")
        count = found["present"] - 1
        found["bytes"] = (redis.used() - before) / count
        forgotten = run("forget", redis.url, 10)["forgotten"]
        found["with tombstones"] = \
            (redis.used() - before) / (count - forgotten)
        run("forget", redis.url, 1)
        found["tombstone"] = (redis.used() - before) / count
        # once the registry knows all names: a host at work
        return (found, run("put", redis.url, folder / "scans"),
                run("more", redis.url, folder / "scans"))


def print_storing(ours, single, batches, peer):
    print(f"{'a sample':<44} {'neurald':>9} {'rspamd':>9} {'ratio':>6}")
    rows = [
        ("payload, bytes", ours["payload"] / ours["samples"],
         peer["payload"] / peer["samples"]),
        ("in Redis, all counted, bytes", ours["bytes"], peer["bytes"]),
        ("the same, one in ten forgotten, bytes", ours["with tombstones"],
         peer["bytes"]),
    ]
    for name, own, other in rows:
        print(f"{name:<44} {own:>9.1f} {other:>9.1f} {own / other:>6.2f}")
    print(f"{'a tombstone, bytes':<44} {ours['tombstone']:>9.1f}")
    print(f"{'round trips, one at a time':<44} "
          f"{single['trips'] / single['samples']:>9.3f}")
    for name, own in (("stored a second, one at a time", single),
                      ("stored a second, pipelined in batches", batches)):
        print(f"{name:<44} {own['samples'] / own['seconds']:>9.0f} "
              f"{peer['samples'] / peer['seconds']:>9.0f}")


def first_model(hosts, generation):
    """When the last host had that generation."""
    latest = 0
    for host in hosts:
        while True:
            at, taken = map(int, host.stdout.readline().split())
            if taken >= generation:
                break
        latest = max(latest, at)
    return latest


def measure_publish(folder):
    """Seconds from a publish to the last host that scores with it."""
    seconds = []
    with Redis() as redis, contextlib.ExitStack() as stack:
        run("learn", redis.url, folder / "scans")
        hosts = []
        for _ in range(PROCESSES):
            host = subprocess.Popen([COST, "score", redis.url],
                                    stdin=subprocess.PIPE, text=True,
                                    stdout=subprocess.PIPE)
            stack.callback(host.wait)
            stack.callback(host.stdin.close)
            hosts.append(host)
        for host in hosts:
            host.stdout.readline()
        time.sleep(2)  # each has subscribed
        while len(seconds) < TRAININGS:
            report = run("train", redis.url)
            if report["decision"] == "promoted":
                last = first_model(hosts, report["generation"])
                seconds.append((last - report["at"]) / 1e6)
    return seconds


def main():
    subprocess.run(["ninja", "-C", str(BUILD), "tests/bench/redis_cost"],
                   check=True, stdout=subprocess.DEVNULL)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="neurald-bench-"))
    try:
        write_inputs(folder)
        peer = store_peer(folder)
        print_storing(*store_ours(folder), peer)
        seconds = measure_publish(folder)
        print(f"publish to the last of {PROCESSES} processes scoring: "
              f"{statistics.median(seconds):.3f} s in the middle, "
              f"{max(seconds):.3f} s at most, of {len(seconds)}")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
