# SPDX-License-Identifier: Apache-2.0
"""rspamd eval and train: the interface that others rely on. That rspamd takes
what train writes is in test_rspamd.py."""
import random
import re
import resource
import struct
import subprocess

import pytest

from conftest import ROOT

DATA = ROOT / "tests/data"
WIDTH = 220


def unpack(name):
    return subprocess.run(["zstd", "-qdc", DATA / name], check=True,
                          stdout=subprocess.PIPE).stdout


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """The vectors that rspamd stored, as lines of label and numbers."""
    path = tmp_path_factory.mktemp("rspamd") / "vectors"
    lines = []
    for line in unpack("sa_rspamd_vectors.svm.zst").decode().splitlines():
        label, *entries = line.split("#")[0].split()
        row = ["0"] * WIDTH
        for entry in entries:
            column, value = entry.split(":")
            row[int(column) - 1] = value
        lines.append(" ".join([label, *row]))
    path.write_text("\n".join(lines) + "\n")
    return path


def outputs(text):
    return [float(line.split()[-1]) for line in text.splitlines()]


def test_eval_answers_as_rspamd_does(neurald, vectors, tmp_path):
    model = tmp_path / "model"
    model.write_bytes(unpack("rspamd-3.4-model.kann.zst"))
    text = neurald.ok("rspamd", "eval", "--model", model, "--vectors",
                      vectors).text
    got = outputs(text)
    told = (DATA / "rspamd-3.4-model-scores.txt").read_text().splitlines()
    assert len(told) == 100
    for line in told:
        number, score = line.split()
        assert abs(got[int(number) - 1] - float(score)) < 1e-5, line
    for line in text.splitlines():
        assert re.fullmatch(r"[01] -?\d(\.\d+)?(e-\d+)?", line), line


def test_train_writes_what_eval_reads(neurald, vectors, tmp_path):
    model = tmp_path / "model"
    told = neurald.ok("rspamd", "train", "--vectors", vectors, "--out", model,
                      "--json").json
    assert told["spam"] == 1451 and told["ham"] == 3155
    assert told["auc"] > 0.97
    assert model.read_bytes()[:4] == b"KAN\1"
    text = neurald.ok("rspamd", "eval", "--model", model, "--vectors",
                      vectors).text
    spam = [score for line, score in zip(text.splitlines(), outputs(text))
            if line.startswith("1 ")]
    ham = [score for line, score in zip(text.splitlines(), outputs(text))
           if line.startswith("0 ")]
    assert sum(spam) / len(spam) > 0.5
    assert sum(ham) / len(ham) < -0.5
    assert len(set(spam)) > len(spam) * 0.8  # not saturated


def test_train_says_what_it_did_and_takes_a_seed(neurald, tmp_path):
    chance = random.Random(1)
    path = tmp_path / "vectors"
    with open(path, "w", encoding="ascii") as out:
        for i in range(200):
            row = [chance.choice("01") for _ in range(20)]
            row[3] = str(i % 2) if chance.random() < 0.9 else row[3]
            out.write(" ".join([str(i % 2), *row]) + "\n")
    models = []
    for seed in ("1", "1", "2"):
        model = tmp_path / f"model{len(models)}"
        text = neurald.ok("rspamd", "train", "--vectors", path, "--out", model,
                          "--seed", seed).text
        assert "100 spam and 100 ham" in text and "held out" in text
        models.append(model.read_bytes())
    assert models[0] == models[1] != models[2]


def test_what_cannot_be_used_is_named(neurald, vectors, tmp_path):
    bad, model = tmp_path / "bad", tmp_path / "model"
    model.write_bytes(unpack("rspamd-3.4-model.kann.zst"))
    bad.write_bytes(model.read_bytes()[:1000])
    neurald.fails(65, "rspamd", "eval", "--model", bad, "--vectors", vectors,
                  words=["bad", "cut off"])
    bad.write_text("1 0 1\n0 1\n")
    neurald.fails(65, "rspamd", "eval", "--model", model, "--vectors", bad,
                  words="bad:2")
    bad.write_text("1 0 1\n0 1 1\n")
    neurald.fails(65, "rspamd", "eval", "--model", model, "--vectors", bad,
                  words=["220", "2"])
    neurald.fails(1, "rspamd", "train", "--vectors", bad, "--out",
                  tmp_path / "none", words="too few")
    assert not (tmp_path / "none").exists()
    neurald.fails(66, "rspamd", "train", "--vectors", "/nonexistent", "--out",
                  tmp_path / "none", words="/nonexistent")


def lines_of(count, width=10):
    chance = random.Random(2)
    return [f"{i % 2} " + " ".join(f"{chance.random() + i % 2:.3f}"
                                   for _ in range(width)) for i in range(count)]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "vectors"
    path.write_text("\n".join(lines_of(100)) + "\n")
    return path


@pytest.mark.parametrize("line, status, words", [
    (None, 1, "holds no vector"),
    ("1 nan" + " 1" * 9, 65, ["bad:101", "'nan'"]),
    ("1 -inf" + " 1" * 9, 65, ["bad:101", "'-inf'"]),
    ("2" + " 1" * 10, 65, ["bad:101", "the label is 2", "1 is spam"]),
    ("1" + " 1" * 9, 65, ["bad:101", "9 numbers", "10"]),
    ("1" + " 0.5" * 25_000_000, 65, ["bad:101", "65536 numbers"]),
], ids=["empty", "nan", "inf", "label", "length", "100 MB"])
def test_bad_vectors_are_named_and_the_old_network_stays(neurald, tmp_path,
                                                         line, status, words):
    bad, out = tmp_path / "bad", tmp_path / "out"
    bad.write_text("" if line is None else
                   "\n".join([*lines_of(100), line]) + "\n")
    out.write_bytes(b"the one before")
    neurald.fails(status, "rspamd", "train", "--vectors", bad, "--out", out,
                  words=words)
    assert out.read_bytes() == b"the one before"
    assert sorted(path.name for path in tmp_path.iterdir()
                  if path.is_file()) == ["bad", "out"]


def test_packed_files_are_named_as_such(neurald, small, tmp_path):
    model, vectors = tmp_path / "model.zst", tmp_path / "vectors.gz"
    model.write_bytes((DATA / "rspamd-3.4-model.kann.zst").read_bytes())
    subprocess.run(["gzip", "-c", small], check=True,
                   stdout=vectors.open("wb"))
    neurald.fails(65, "rspamd", "eval", "--model", model, "--vectors", small,
                  words=["model.zst", "packed by zstd", "unpack it"])
    neurald.fails(65, "rspamd", "train", "--vectors", vectors, "--out",
                  tmp_path / "out", words=["vectors.gz:1", "packed by gzip"])


@pytest.mark.parametrize("dimensions", [(1, 0x7fffffff), (0xffffffff,),
                                        (65536, 65536)])
def test_a_network_of_absurd_size_takes_no_memory(neurald, small, tmp_path,
                                                  dimensions):
    model = tmp_path / "model"
    leaf = struct.pack("<iIBIB", 0, 0, 1, 0, len(dimensions)) + b"".join(
        struct.pack("<I", size) for size in dimensions)
    model.write_bytes(b"KAN\1" + struct.pack("<i", 1) + leaf)
    neurald.fails(65, "rspamd", "eval", "--model", model, "--vectors", small,
                  words="model: ", preexec_fn=lambda: resource.setrlimit(
                      resource.RLIMIT_DATA, (256 << 20, 256 << 20)))


@pytest.mark.parametrize("out, status", [("none/out", 73), (".", 73), ("", 73),
                                         ("/dev/full", 74)])
def test_where_nothing_can_be_written_it_is_said(neurald, small, tmp_path, out,
                                                 status):
    (tmp_path / "x").mkdir()
    place = out if out.startswith("/") or not out else tmp_path / "x" / out
    neurald.fails(status, "rspamd", "train", "--vectors", small, "--out", place,
                  words=str(place))
    assert not list((tmp_path / "x").iterdir())


def test_a_limit_on_the_size_of_files_leaves_the_old_network(neurald, small,
                                                             tmp_path):
    out = tmp_path / "out"
    out.write_bytes(b"the one before")
    neurald.fails(74, "rspamd", "train", "--vectors", small, "--out", out,
                  words="File too large", preexec_fn=lambda: resource.setrlimit(
                      resource.RLIMIT_FSIZE, (4096, 4096)))
    assert out.read_bytes() == b"the one before"
    assert [path.name for path in tmp_path.iterdir()
            if path.is_file()] == ["out"]
