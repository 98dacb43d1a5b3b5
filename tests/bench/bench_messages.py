# SPDX-License-Identifier: Apache-2.0
"""Raw messages a second, one process, beside bogofilter in batch mode on the
same files in the same run: learning them from nothing to a usable model, and
scoring others; first with one processor for each program, then with all there
are, of which bogofilter uses one. Each is run several times in turn; the ratio
is of medians."""

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


def both(train, test, processors):
    """Our figures and the peer's with these processors to run on."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        return our_run(train, test), peer_run(train, test)
    finally:
        os.sched_setaffinity(0, all_of_them)


def row(runs, index, count):
    our = statistics.median(ours[index] for ours, _ in runs)
    their = statistics.median(theirs[index] for _, theirs in runs)
    return {"messages": count, "neurald_seconds": our,
            "bogofilter_seconds": their, "ratio": their / our}


def main():
    everything = peers.messages(peers.corpus())
    train = [pair for pair in everything if not peers.is_test(pair[1])]
    test = [pair for pair in everything if peers.is_test(pair[1])]
    processors = os.sched_getaffinity(0)
    alone, together = [], []
    for _ in range(RUNS):
        alone.append(both(train, test, {min(processors)}))
        together.append(both(train, test, processors))
    figures = {}
    for ending, runs in (("", alone), ("_all", together)):
        figures["learn" + ending] = row(runs, 0, len(train))
        figures["score" + ending] = row(runs, 1, len(test))
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return
    for name, line in figures.items():
        where = "all processors" if name.endswith("_all") else "one processor"
        print(f"{name.removesuffix('_all'):6} {line['messages']:5} messages on "
              f"{where}: neurald {line['neurald_seconds']:.2f} s, bogofilter "
              f"{line['bogofilter_seconds']:.2f} s, "
              f"{line['ratio']:.2f} times as fast")


if __name__ == "__main__":
    main()
