# SPDX-License-Identifier: Apache-2.0
"""How well mail is told apart, beside bogofilter on the same files in the same
run. Prints a table; --json prints the figures alone.

    the split         train on 3/4 of the SpamAssassin corpus, test on 1/4
    another time      train on easy-ham-1 and spam-1, test on the other folders
    few to learn from 50 spam and 50 ham, five draws, tested on the split's 1/4
"""

import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

import peers

SCAN = peers.ROOT / "tests" / "data" / "sa_rspamd_scan.jsonl.zst"
OLD_FOLDERS = ("easy-ham-1", "spam-1")
DRAWS = 5
DRAW_SIZE = 50


def neurald_eval(*arguments):
    done = subprocess.run([peers.program(), "eval", *map(str, arguments),
                           "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def linked(folder, part):
    """Folders of links to the messages of part, by class."""
    for label, path in part:
        place = folder / ("spam" if label else "ham")
        place.mkdir(parents=True, exist_ok=True)
        os.link(path, place / path.name)
    return folder / "spam", folder / "ham"


def both(name, train, test):
    """One table row: neurald and bogofilter on the same parts."""
    with tempfile.TemporaryDirectory(dir=peers.corpus().parent) as top:
        top = pathlib.Path(top)
        train_spam, train_ham = linked(top / "train", train)
        spam, ham = linked(top / "test", test)
        ours = neurald_eval("--train-spam", train_spam, "--train-ham",
                            train_ham, "--spam", spam, "--ham", ham)
    with peers.Bogofilter() as bogofilter:
        bogofilter.learn(train)
        scores, _ = bogofilter.score(test)
    labels = [label for label, _ in test]
    return {
        "test": name,
        "neurald_auc": ours["auc"],
        "neurald_recall": ours["recall_at_fpr"]["0.001"],
        "neurald_accuracy": ours["accuracy"],
        "bogofilter_auc": peers.auc(scores, labels),
        "bogofilter_recall": peers.recall_at(scores, labels, 0.001),
    }


def alone(name, corpus, *arguments):
    ours = neurald_eval("--spam", corpus / "spam", "--ham", corpus / "ham",
                        "--split", "0.25", *arguments)
    return {"test": name, "neurald_auc": ours["auc"],
            "neurald_recall": ours["recall_at_fpr"]["0.001"],
            "neurald_accuracy": ours["accuracy"]}


def few(train, test):
    """The mean row over draws of a small training set."""
    rows = []
    for draw in range(DRAWS):
        generator = random.Random(draw)
        part = []
        for label in (0, 1):
            of_class = [pair for pair in train if pair[0] == label]
            part += generator.sample(of_class, DRAW_SIZE)
        rows.append(both("", part, test))
    mean = {key: statistics.fmean(row[key] for row in rows)
            for key in rows[0] if key != "test"}
    return {"test": f"{DRAW_SIZE} + {DRAW_SIZE}, mean of {DRAWS}", **mean}


def is_old(path):
    return path.name.startswith(OLD_FOLDERS)


def main():
    corpus = peers.corpus()
    everything = peers.messages(corpus)
    train = [pair for pair in everything if not peers.is_test(pair[1])]
    test = [pair for pair in everything if peers.is_test(pair[1])]
    rows = [
        both("the split", train, test),
        alone("with scan results", corpus, "--scan", SCAN),
        alone("symbols alone", corpus, "--scan", SCAN, "--families",
              "symbols"),
        both("another time",
             [pair for pair in everything if is_old(pair[1])],
             [pair for pair in everything if not is_old(pair[1])]),
        few(train, test),
    ]
    if "--json" in sys.argv[1:]:
        print(json.dumps(rows))
        return
    print(f"{'':24}{'neurald':>28}{'bogofilter':>20}")
    print(f"{'':24}{'AUC':>10}{'R@0.1%':>9}{'right':>9}{'AUC':>11}"
          f"{'R@0.1%':>9}")
    for row in rows:
        line = (f"{row['test']:24}{row['neurald_auc']:10.5f}"
                f"{row['neurald_recall']:9.3f}"
                f"{row['neurald_accuracy']:9.4f}")
        if "bogofilter_auc" in row:
            line += (f"{row['bogofilter_auc']:11.5f}"
                     f"{row['bogofilter_recall']:9.3f}")
        print(line)


if __name__ == "__main__":
    main()
