# SPDX-License-Identifier: Apache-2.0
"""The peer that the accuracy and speed benchmarks run beside neurald, and the
corpus that both read."""

import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def program():
    """The neurald to measure."""
    return os.environ.get("NEURALD", str(ROOT / "build" / "neurald"))


def corpus():
    """The folder with ham/ and spam/, fetched where it is not there yet."""
    given = os.environ.get("NEURALD_CORPUS")
    if given:
        return pathlib.Path(given)
    out = subprocess.run([str(ROOT / "tools" / "fetch-corpus")], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    return pathlib.Path(out.strip().splitlines()[-1])


def messages(folder):
    """(label, path) of every message below folder/ham and folder/spam."""
    found = []
    for label, name in ((0, "ham"), (1, "spam")):
        for path in sorted((folder / name).iterdir()):
            found.append((label, path))
    return found


def is_test(path, parts=4):
    """Whether the split of `eval --split 1/parts` tests on this file."""
    digest = hashlib.sha1(path.name.encode()).hexdigest()
    return int(digest, 16) % parts == 0


def auc(scores, labels):
    """Area under the ROC curve, ties counted half."""
    order = sorted(range(len(scores)), key=lambda i: scores[i])
    ranks = [0.0] * len(scores)
    start = 0
    while start < len(order):
        end = start
        while (end + 1 < len(order)
               and scores[order[end + 1]] == scores[order[start]]):
            end += 1
        for i in range(start, end + 1):
            ranks[order[i]] = (start + end) / 2 + 1
        start = end + 1
    spam = sum(labels)
    ham = len(labels) - spam
    total = sum(rank for rank, label in zip(ranks, labels) if label)
    return (total - spam * (spam + 1) / 2) / (spam * ham)


def recall_at(scores, labels, share):
    """The greatest recall over real thresholds that lose at most share of the
    ham; ties counted whole."""
    spam = sum(labels)
    ham = len(labels) - spam
    best = 0.0
    caught = lost = 0
    pairs = sorted(zip(scores, labels), reverse=True)
    for i, (score, label) in enumerate(pairs):
        caught += label
        lost += 1 - label
        last_of_tie = i + 1 == len(pairs) or pairs[i + 1][0] != score
        if last_of_tie and lost <= share * ham:
            best = max(best, caught / spam)
    return best


class Bogofilter:
    """bogofilter with a word list of its own, removed at the end."""

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="bogofilter-")
        return self

    def __exit__(self, *unused):
        shutil.rmtree(self.folder)

    def _run(self, flags, paths):
        names = "".join(f"{path}\n" for path in paths)
        start = time.monotonic()
        done = subprocess.run(
            ["bogofilter", "-C", "-d", self.folder, *flags, "-b"],
            input=names.encode(), stdout=subprocess.PIPE, check=False)
        if done.returncode > 2:
            raise RuntimeError(f"bogofilter ended with {done.returncode}")
        return done.stdout.decode(), time.monotonic() - start

    def learn(self, train):
        """Learns (label, path) pairs; answers the seconds that it took."""
        seconds = 0.0
        for label, flag in ((0, "-n"), (1, "-s")):
            paths = [path for own, path in train if own == label]
            seconds += self._run([flag], paths)[1]
        return seconds

    def score(self, test):
        """Scores of (label, path) pairs in their order, and the seconds."""
        out, seconds = self._run(["-TT"], [path for _, path in test])
        found = dict(line.rsplit(" ", 1) for line in out.splitlines())
        return [float(found[str(path)]) for _, path in test], seconds
