# SPDX-License-Identifier: Apache-2.0
"""rspamd's total score with neurald's symbol against without, on the test split
of the corpus: a real rspamd with the plugin, which sends symbols and message to
`neurald serve`; the training part is taught through the plugin, as a user's
labels, and trained on once. Both scores are of the same scans, rules only
(no Bayes, no neural module, no network).

The split and what is taken out of the messages first are those of
tests/data/sa_rspamd_scan.jsonl.zst. Needs rspamd and redis-server."""

import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import peers

sys.path.insert(0, str(peers.ROOT / "tests" / "system"))
from rspamd_peer import Redis, Rspamd, free_port, wait_for  # noqa: E402

TOKEN = "a-token-for-learning-0123456789"
OURS = ("NEURALD_SPAM", "NEURALD_HAM")
FIELD = re.compile(rb"^(X-Spam|X-Pyzor)[^:]*:.*(?:\r?\n[ \t].*)*\r?\n",
                   re.IGNORECASE | re.MULTILINE)
WORKERS = 4
MOST = int(os.environ.get("NEURALD_BENCH_MESSAGES", "0"))  # of each part


def message(path):
    """Without the mbox separator and what other filters wrote."""
    data = path.read_bytes()
    if data.startswith(b"From "):
        data = data.split(b"\n", 1)[1]
    head, gap, body = data.partition(b"\n\n")
    return FIELD.sub(b"", head + b"\n") + gap[1:] + body


def is_test(path):
    return int(hashlib.sha1(path.name.encode()).hexdigest(), 16) % 4 == 0


def recall(scores, labels, rate):
    ham = sorted((s for s, l in zip(scores, labels) if not l), reverse=True)
    least = ham[int(rate * len(ham))]
    spam = [s for s, l in zip(scores, labels) if l]
    return sum(s > least for s in spam) / len(spam)


class Beside:
    def __init__(self, folder):
        for name in ("redis", "rspamd", "home"):
            (folder / name).mkdir()
        self.port = free_port()
        self.environment = {**os.environ, "HOME": str(folder / "home")}
        self.environment.pop("XDG_STATE_HOME", None)
        self.config = folder / "neurald.conf"
        self.config.write_text("rule default { watch_interval = 1s\n"
                               "train_after = 1000000 }\n")
        tokens = folder / "tokens"
        tokens.write_text(f"learn {TOKEN}\n")
        tokens.chmod(0o640)
        self.daemon = subprocess.Popen(
            [peers.program(), "--config", str(self.config), "serve",
             "--listen", f"127.0.0.1:{self.port}", "--token-file",
             str(tokens)], env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.redis = Redis(folder / "redis")
        self.rspamd = Rspamd(folder / "rspamd", self.redis, files={
            "neural.conf": "enabled = false;",
            "classifier-bayes.conf": "enabled = false;",
            "logging.inc": 'level = "warning";',
            "neurald.conf": f'url = "http://127.0.0.1:{self.port}";\n'
                            f'token_file = "{tokens}"; timeout = 20s;\n'
                            "learn_timeout = 60s;\n"
                            "send_message = true;"})

    def generation(self):
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        link.request("POST", "/v1/score", b'{"symbols": {"X": 1}}',
                     {"Content-Type": "application/json"})
        return json.loads(link.getresponse().read())["generation"]

    def learned(self):
        told = subprocess.run(
            [peers.program(), "--config", str(self.config), "status",
             "--json"], env=self.environment, check=True,
            stdout=subprocess.PIPE).stdout
        return sum(line.get("spam", 0) + line.get("ham", 0)
                   for line in map(json.loads, told.splitlines()))

    def teach(self, pairs):
        def one(pair):
            label, path = pair
            self.rspamd.scan(message(path), None, **{
                "Neurald-Learn": "spam" if label else "ham"})
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, pairs))
        before, now = -1, 0
        while before != now:  # no scan waits for its label
            time.sleep(1)
            before, now = now, self.learned()
        subprocess.run([peers.program(), "--config", str(self.config), "train"],
                       env=self.environment, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(self.generation, "the model")

    def scores(self, pairs):
        """Total scores without our symbol, and with it."""
        def one(pair):
            told = self.rspamd.scan(message(pair[1]))
            part = sum(symbol["score"] for name, symbol in
                       told["symbols"].items() if name in OURS)
            return told["score"] - part, told["score"]
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            return list(zip(*pool.map(one, pairs)))

    def stop(self):
        self.rspamd.stop()
        self.redis.stop()
        self.daemon.kill()
        self.daemon.wait()


def measure():
    pairs = peers.messages(peers.corpus())
    train = [pair for pair in pairs if not is_test(pair[1])]
    test = [pair for pair in pairs if is_test(pair[1])]
    if MOST:
        train, test = train[::len(train) // MOST], test[::len(test) // MOST]
    labels = [label for label, _ in test]
    with tempfile.TemporaryDirectory() as name:
        beside = Beside(pathlib.Path(name))
        try:
            beside.teach(train)
            without, with_ours = beside.scores(test)
        finally:
            beside.stop()
    rows = {}
    for name, scores in (("without", without), ("with", with_ours)):
        rows[name] = {"auc": peers.auc(scores, labels),
                      "recall_0.1": recall(scores, labels, 0.001),
                      "recall_1": recall(scores, labels, 0.01)}
    return {"train": len(train), "test": len(test), **rows}


def main():
    told = measure()
    if "--json" in sys.argv[1:]:
        print(json.dumps(told))
        return
    print(f"rspamd's total score (rules only) on {told['test']} messages, "
          f"neurald taught {told['train']}:")
    for name in ("without", "with"):
        row = told[name]
        print(f"  {name + ' neurald':16} AUC {row['auc']:.4f}  recall at 0.1 % "
              f"{row['recall_0.1']:.3f}, at 1 % {row['recall_1']:.3f}")


if __name__ == "__main__":
    main()
