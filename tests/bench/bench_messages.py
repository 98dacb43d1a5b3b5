# SPDX-License-Identifier: Apache-2.0
"""Raw messages a second, one process, beside bogofilter in batch mode on the
same files in the same run: learning them from nothing to a usable model, and
scoring others. Each is run several times in turn; the ratio is of medians."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import peers

RUNS = int(os.environ.get("NEURALD_BENCH_RUNS", "5"))


def timed(arguments):
    start = time.monotonic()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def paths_of(part, label=None):
    return [str(path) for own, path in part if label is None or own == label]


def our_run(train, test):
    """Seconds to learn and train, and to score the test part."""
    with tempfile.TemporaryDirectory() as folder:
        store = "sqlite:" + str(pathlib.Path(folder) / "store.db")
        base = [peers.program(), "--store", store]
        learn = timed([*base, "learn", "--spam", *paths_of(train, 1),
                       "--ham", *paths_of(train, 0)])
        learn += timed([*base, "train"])
        return learn, timed([*base, "score", "--json", *paths_of(test)])


def peer_run(train, test):
    with peers.Bogofilter() as bogofilter:
        return bogofilter.learn(train), bogofilter.score(test)[1]


def main():
    everything = peers.messages(peers.corpus())
    train = [pair for pair in everything if not peers.is_test(pair[1])]
    test = [pair for pair in everything if peers.is_test(pair[1])]
    ours, theirs = [], []
    for _ in range(RUNS):
        ours.append(our_run(train, test))
        theirs.append(peer_run(train, test))
    figures = {}
    for index, name, count in ((0, "learn", len(train)),
                               (1, "score", len(test))):
        our = statistics.median(run[index] for run in ours)
        their = statistics.median(run[index] for run in theirs)
        figures[name] = {"messages": count, "neurald_seconds": our,
                         "bogofilter_seconds": their, "ratio": their / our}
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return
    for name, row in figures.items():
        print(f"{name:6} {row['messages']:5} messages: neurald "
              f"{row['neurald_seconds']:.2f} s, bogofilter "
              f"{row['bogofilter_seconds']:.2f} s, "
              f"{row['ratio']:.2f} times as fast")


if __name__ == "__main__":
    main()
