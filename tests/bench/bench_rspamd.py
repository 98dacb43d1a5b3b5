# SPDX-License-Identifier: Apache-2.0
"""A network for rspamd, trained by `neurald rspamd train`, beside the one that
rspamd's own code trains from the same vectors in the same run. Both are scored
by `neurald rspamd eval`, which answers as rspamd does (tests/unit/rspamd).

Then 1,000 made-up symbols, where rspamd's training falls into one class: ours
from 20 seeds. Needs rspamd's package for rspamadm; no daemon is started."""

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

import peers

RUNS = int(os.environ.get("NEURALD_BENCH_RUNS", "5"))
SEEDS = 20
DATA = peers.ROOT / "tests" / "data"
SCRIPT = pathlib.Path(__file__).with_name("rspamd_train.lua")
INPUTS = 220


def unpack(name, path):
    """svmlight text as the lines that rspamd's vectors are."""
    text = subprocess.run(["zstd", "-qdc", str(DATA / name)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    with open(path, "w", encoding="ascii") as out:
        for line in text.splitlines():
            label, *entries = line.split("#")[0].split()
            row = ["0"] * INPUTS
            for entry in entries:
                column, value = entry.split(":")
                row[int(column) - 1] = value
            out.write(" ".join([label, *row]) + "\n")
    return path


def made_up(path, count, width, seed):
    """Symbols that are there or not; linear but for two of them."""
    fixed, draw = random.Random(1), random.Random(seed)
    weights = [fixed.gauss(0, 1) for _ in range(width)]
    with open(path, "w", encoding="ascii") as out:
        for _ in range(count):
            there = {int(width * draw.random() ** 2) for _ in range(30)}
            z = sum(weights[column] for column in there)
            z += 3 * ((0 in there) ^ (1 in there)) - 1.5 + draw.gauss(0, 0.5)
            row = ["1" if column in there else "0" for column in range(width)]
            out.write(" ".join([str(int(z > 0)), *row]) + "\n")
    return path


def our_training(vectors, model, seed=1):
    """Seconds of the whole command, reading and writing included."""
    start = time.monotonic()
    told = subprocess.run(
        [peers.program(), "rspamd", "train", "--vectors", str(vectors),
         "--out", str(model), "--seed", str(seed), "--json"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.monotonic() - start, json.loads(told)["seconds"]


def their_training(vectors, model):
    out = subprocess.run(
        ["rspamadm", "lua", "-a", str(vectors), "-a", str(model), str(SCRIPT)],
        check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True).stdout
    return float(out.split()[-1])


def figures(model, vectors):
    """AUC with ties counted half, recall at rates of ham lost, and how many
    scores there are."""
    out = subprocess.run(
        [peers.program(), "rspamd", "eval", "--model", str(model), "--vectors",
         str(vectors)], check=True, stdout=subprocess.PIPE, text=True).stdout
    pairs = [(float(score), int(label)) for label, score in
             map(str.split, out.splitlines())]
    spam = sum(label for _, label in pairs)
    ham = len(pairs) - spam
    steps = {}
    for score, label in pairs:
        steps.setdefault(score, [0, 0])[label] += 1
    area, caught, lost, recall = 0, 0, 0, {0.001: 0, 0.01: 0}
    for score in sorted(steps, reverse=True):
        here_ham, here_spam = steps[score]
        area += here_ham * (caught + here_spam / 2)
        caught, lost = caught + here_spam, lost + here_ham
        for rate in recall:
            if lost <= rate * ham:
                recall[rate] = caught / spam
    return {"auc": area / spam / ham, "recall_0.1": recall[0.001],
            "recall_1": recall[0.01], "scores": len(steps)}


def same_vectors(folder):
    train = unpack("sa_rspamd_vectors.svm.zst", folder / "train")
    test = unpack("sa_rspamd_vectors_test.svm.zst", folder / "test")
    ours, theirs, alone = [], [], []
    for _ in range(RUNS):
        whole, training = our_training(train, folder / "ours")
        ours.append(whole)
        alone.append(training)
        theirs.append(their_training(train, folder / "theirs"))
    return {"neurald": figures(folder / "ours", test),
            "rspamd": figures(folder / "theirs", test),
            "neurald_command_seconds": statistics.median(ours),
            "neurald_training_seconds": statistics.median(alone),
            "rspamd_training_seconds": statistics.median(theirs),
            "ratio_training": statistics.median(theirs)
            / statistics.median(alone),
            "ratio_command": statistics.median(theirs)
            / statistics.median(ours)}


def thousand_symbols(folder):
    train = made_up(folder / "train", 5000, 1000, 2)
    test = made_up(folder / "test", 2000, 1000, 3)
    areas, seconds = [], []
    for seed in range(1, SEEDS + 1):
        seconds.append(our_training(train, folder / "ours", seed)[1])
        areas.append(figures(folder / "ours", test)["auc"])
    theirs = their_training(train, folder / "theirs")
    return {"worst_auc": min(areas), "seeds": SEEDS,
            "learned": sum(area > 0.9 for area in areas),
            "neurald_training_seconds": statistics.median(seconds),
            "rspamd_training_seconds": theirs,
            "rspamd": figures(folder / "theirs", test)}


def show(same, wide):
    print("1,439 test vectors of rspamd's, networks of the same 4,606:")
    for name in ("neurald", "rspamd"):
        row = same[name]
        print(f"  {name:8} AUC {row['auc']:.4f}  recall at 0.1 % "
              f"{row['recall_0.1']:.3f}, at 1 % {row['recall_1']:.3f}  "
              f"{row['scores']} different scores")
    print(f"  training, medians of {RUNS}: neurald "
          f"{same['neurald_training_seconds']:.3f} s (the whole command "
          f"{same['neurald_command_seconds']:.3f} s), rspamd "
          f"{same['rspamd_training_seconds']:.2f} s: "
          f"{same['ratio_training']:.1f} times as fast ("
          f"{same['ratio_command']:.1f})")
    print(f"1,000 symbols, 5,000 vectors: {wide['learned']} of "
          f"{wide['seeds']} seeds learned, AUC {wide['worst_auc']:.4f} at "
          f"worst, {wide['neurald_training_seconds']:.2f} s; rspamd's own: "
          f"AUC {wide['rspamd']['auc']:.4f}, "
          f"{wide['rspamd_training_seconds']:.0f} s")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        same = same_vectors(folder)
        wide = thousand_symbols(folder)
    if "--json" in sys.argv[1:]:
        print(json.dumps({"same": same, "wide": wide}))
    else:
        show(same, wide)


if __name__ == "__main__":
    main()
