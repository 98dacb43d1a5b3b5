# SPDX-License-Identifier: Apache-2.0
"""The network alone, beside KANN in rspamd on the same vectors, architecture
and epochs in the same run: training, and scoring one vector. Both take turns
several times; the ratios are of medians, since times on a shared machine say
little. Needs rspamd's package for rspamadm; no daemon is started.

`--wide` adds 5,000 made-up vectors of 1,000 inputs, 30 of them not zero, and
1,501 hidden units, which takes KANN most of a minute a turn."""

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import peers

RUNS = int(os.environ.get("NEURALD_BENCH_RUNS", "5"))
DATA = peers.ROOT / "tests" / "data"
SCRIPT = pathlib.Path(__file__).with_name("kann.lua")
WIDE_INPUTS = 1000
WIDE_ENTRIES = 30


def unpack(name, folder):
    path = folder / name
    with open(path, "wb") as out:
        subprocess.run(["zstd", "-qdc", str(DATA / (name + ".zst"))],
                       check=True, stdout=out)
    return path


def made_up(path, count, seed):
    """Vectors with a rule that is linear but for two of its terms; the weights
    are the same for every seed."""
    fixed = random.Random(1)
    weights = [fixed.gauss(0, 1) for _ in range(WIDE_INPUTS)]
    draw = random.Random(seed)
    with open(path, "w", encoding="ascii") as out:
        for _ in range(count):
            columns = set()
            while len(columns) < WIDE_ENTRIES:
                columns.add(int(WIDE_INPUTS * draw.random() ** 2))
            z = sum(weights[column] for column in columns)
            z += 3 * ((0 in columns) ^ (1 in columns)) - 1.5
            label = 1 if z + draw.gauss(0, 0.5) > 0 else 0
            entries = " ".join(f"{c + 1}:1" for c in sorted(columns))
            out.write(f"{label} {entries}\n")
    return path


def our_run(task):
    out = subprocess.run(
        [peers.program(), "bench", "--svmlight", str(task["train"]), "--test",
         str(task["test"]), "--hidden", str(task["hidden"]), "--epochs",
         str(task["epochs"]), "--json"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(out)


def peer_run(task):
    environment = dict(os.environ, KANN_HIDDEN=str(task["hidden"]),
                       KANN_EPOCHS=str(task["epochs"]),
                       KANN_INPUTS=str(task["inputs"]))
    out = subprocess.run(
        ["rspamadm", "lua", "-a", str(task["train"]), "-a", str(task["test"]),
         str(SCRIPT)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=environment).stdout
    return json.loads(out.strip().splitlines()[-1])


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def measure(task, runs):
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(our_run(task))
        theirs.append(peer_run(task))
    figures = {"runs": runs, "kernel": ours[0].get("kernel")}
    for name in ("seconds", "score_microseconds", "auc"):
        figures["neurald_" + name] = median(ours, name)
        figures["kann_" + name] = median(theirs, name)
    for name in ("seconds", "score_microseconds"):
        figures["ratio_" + name] = (figures["kann_" + name]
                                    / figures["neurald_" + name])
    return figures


def show(name, row):
    print(f"{name}, kernel {row['kernel']}, medians of {row['runs']}:")
    print(f"  training: neurald {row['neurald_seconds']:.3f} s, KANN "
          f"{row['kann_seconds']:.2f} s: {row['ratio_seconds']:.1f} times as "
          "fast")
    print(f"  scoring one vector: neurald "
          f"{row['neurald_score_microseconds']:.3g} us, KANN "
          f"{row['kann_score_microseconds']:.3g} us: "
          f"{row['ratio_score_microseconds']:.1f} times as fast")
    print(f"  AUC of the test vectors: neurald {row['neurald_auc']:.4f}, "
          f"KANN {row['kann_auc']:.4f}")


def main():
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        figures["220 inputs, 331 hidden units, 25 epochs"] = measure(
            {"train": unpack("sa_rspamd_vectors.svm", folder),
             "test": unpack("sa_rspamd_vectors_test.svm", folder),
             "inputs": 220, "hidden": 331, "epochs": 25}, RUNS)
        if "--wide" in sys.argv[1:]:
            figures["1,000 inputs, 1,501 hidden units, 21 epochs"] = measure(
                {"train": made_up(folder / "wide.svm", 5000, 2),
                 "test": made_up(folder / "wide_test.svm", 2000, 3),
                 "inputs": WIDE_INPUTS, "hidden": 1501, "epochs": 21},
                min(RUNS, 3))
    if "--json" in sys.argv[1:]:
        print(json.dumps(figures))
        return
    for name, row in figures.items():
        show(name, row)


if __name__ == "__main__":
    main()
