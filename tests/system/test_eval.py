# SPDX-License-Identifier: Apache-2.0
"""eval and bench: the interface's keys, the split, figures that can be worked
out again from the scores, and the report."""
import hashlib
import html.parser
import json
import math
import random
import re

import pytest

from conftest import fill_folder, make_mail

INTEGERS = ["train", "test", "model_bytes"]
NUMBERS = ["auc", "accuracy", "decided_right", "unsure", "brier",
           "train_seconds", "messages_per_second", "sample_bytes"]


def in_test_part(name, divisor):
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % divisor == 0


def expected_test(corpus, divisor):
    return {str(path) for label in ("spam", "ham")
            for path in (corpus / label).iterdir()
            if in_test_part(path.name, divisor)}


def auc(rows):
    spam = [row["log_odds"] for row in rows if row["label"] == "spam"]
    ham = [row["log_odds"] for row in rows if row["label"] == "ham"]
    wins = sum((s > h) + 0.5 * (s == h) for s in spam for h in ham)
    return wins / len(spam) / len(ham)


def recall_at(rows, rate):
    """The best recall over thresholds that lose at most rate of the ham."""
    spam = [row["log_odds"] for row in rows if row["label"] == "spam"]
    ham = [row["log_odds"] for row in rows if row["label"] == "ham"]
    return max((sum(s >= t for s in spam) / len(spam)
                for t in [*spam, *ham, math.inf]
                if sum(h >= t for h in ham) / len(ham) <= rate), default=0)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, corpus):
    """One evaluation with all its outputs: (figures, scores, report)."""
    from conftest import Neurald
    program = Neurald(tmp_path_factory.mktemp("evaluated"))
    result = program.ok("eval", "--spam", corpus / "spam", "--ham",
                        corpus / "ham", "--split", "0.25", "--json",
                        "--scores", "scores", "--report", "report.html")
    scores = [json.loads(line) for line in
              (program.home / "scores").read_text().splitlines()]
    assert not (program.home / ".local").exists()
    return result.json, scores, (program.home / "report.html").read_text()


def test_the_keys_and_types_are_those_of_the_interface(evaluated):
    figures, _, _ = evaluated
    for key in INTEGERS:
        assert type(figures[key]) is int, key
    for key in NUMBERS:
        assert type(figures[key]) in (int, float), key
    assert list(figures["recall_at_fpr"]) == ["0.001", "0.005", "0.01"]
    assert 0 <= figures["decided_right"] + figures["unsure"] <= 1
    assert figures["seed"] == 1


def test_the_test_part_is_by_sha1_of_the_bare_name(evaluated, corpus):
    figures, scores, _ = evaluated
    wanted = expected_test(corpus, 4)
    assert {row["path"] for row in scores} == wanted
    assert figures["test"] == len(wanted)
    assert figures["train"] == 160 - len(wanted)


def test_the_figures_follow_from_the_scores(evaluated):
    figures, scores, _ = evaluated
    assert figures["auc"] == pytest.approx(auc(scores))
    for rate, recall in figures["recall_at_fpr"].items():
        assert recall == pytest.approx(recall_at(scores, float(rate)))
    right = sum((row["probability"] >= 0.5) == (row["label"] == "spam")
                for row in scores)
    assert figures["accuracy"] == pytest.approx(right / len(scores))
    decided = sum(row["verdict"] == row["label"] for row in scores)
    assert figures["decided_right"] == pytest.approx(decided / len(scores))
    unsure = sum(row["verdict"] == "unsure" for row in scores)
    assert figures["unsure"] == pytest.approx(unsure / len(scores))
    brier = sum((row["probability"] - (row["label"] == "spam")) ** 2
                for row in scores) / len(scores)
    assert figures["brier"] == pytest.approx(brier)


def test_it_learned_something(evaluated):
    assert evaluated[0]["auc"] > 0.95


def test_the_same_seed_gives_the_same_figures(neurald, corpus, evaluated):
    arguments = ["eval", "--spam", corpus / "spam", "--ham", corpus / "ham",
                 "--split", "1/4", "--scores", "scores"]
    neurald.ok(*arguments)
    again = [json.loads(line) for line in
             (neurald.home / "scores").read_text().splitlines()]
    assert again == evaluated[1]
    neurald.ok(*arguments, "--seed", "2")
    other = [json.loads(line) for line in
             (neurald.home / "scores").read_text().splitlines()]
    assert other != again


def test_other_splits(neurald, corpus):
    figures = neurald.ok("eval", "--spam", corpus / "spam", "--ham",
                         corpus / "ham", "--split", "1/3", "--json").json
    assert figures["test"] == len(expected_test(corpus, 3))


def test_one_corpus_to_train_another_to_test(neurald, corpus, tmp_path):
    for label in ("spam", "ham"):
        fill_folder(tmp_path / label, label, range(300, 330))
    figures = neurald.ok(
        "eval", "--train-spam", corpus / "spam", "--train-ham",
        corpus / "ham", "--spam", tmp_path / "spam", "--ham",
        tmp_path / "ham", "--json").json
    assert (figures["train"], figures["test"]) == (160, 60)


@pytest.mark.parametrize("beside", [True, False])
def test_an_index_is_in_order_of_time(neurald, corpus, tmp_path, beside):
    names = [f"{label} {label}/{label}-{number:04}.eml"
             for number in range(80) for label in ("spam", "ham")]
    index = (corpus if beside else tmp_path) / "index"
    index.write_text("\n".join(names) + "\n")
    figures = neurald.ok("eval", "--index", index, "--train-first", "100",
                         "--scores", tmp_path / "scores", "--json",
                         cwd=tmp_path if beside else corpus).json
    assert (figures["train"], figures["test"]) == (100, 60)
    tested = [json.loads(line)["path"].rsplit("/", 1)[1] for line in
              (tmp_path / "scores").read_text().splitlines()]
    assert tested == [name.rsplit("/", 1)[1] for name in names[100:]]


def test_a_bad_index_line_is_named(neurald, tmp_path):
    index = tmp_path / "index"
    index.write_text("spam nowhere.eml\n")
    neurald.fails(66, "eval", "--index", index, "--train-first", "1",
                  words=["index:1", "nowhere.eml"])
    index.write_text("junk x.eml\n")
    neurald.fails(65, "eval", "--index", index, words="index:1")


def write_scans(path, corpus, name_of):
    chance = random.Random(1)
    with open(path, "w", encoding="utf-8") as file:
        for label in ("spam", "ham"):
            for mail in sorted((corpus / label).iterdir()):
                marks = {"ALWAYS": 0.0, "BAD" if label == "spam" else "GOOD":
                         chance.random()}
                file.write(json.dumps({"id": name_of(label, mail),
                                       "symbols": marks}) + "\n")
    return path


@pytest.mark.parametrize("name_of", [
    lambda label, mail: mail.stem,
    lambda label, mail: f"{label}-{mail.stem}",
])
def test_scan_results_join_by_name(neurald, corpus, tmp_path, name_of):
    scans = write_scans(tmp_path / "scans", corpus, name_of)
    figures = neurald.ok("eval", "--spam", corpus / "spam", "--ham",
                         corpus / "ham", "--scan", scans, "--families",
                         "symbols", "--json").json
    assert figures["auc"] == 1.0
    assert figures["sample_bytes"] < 60


def test_our_own_symbols_give_no_label_away(neurald, corpus, tmp_path):
    scans = write_scans(tmp_path / "scans", corpus, lambda _, mail: mail.stem)
    text = scans.read_text().replace("BAD", "NEURALD_SPAM").replace(
        "GOOD", "NEURALD_HAM")
    scans.write_text(text)
    figures = neurald.ok("eval", "--spam", corpus / "spam", "--ham",
                         corpus / "ham", "--scan", scans, "--families",
                         "symbols", "--json").json
    assert figures["auc"] == 0.5


def test_without_any_feature_there_is_nothing_to_learn(neurald, corpus):
    neurald.fails(1, "eval", "--spam", corpus / "spam", "--ham",
                  corpus / "ham", "--families", "symbols", words="--scan")


def test_families_choose_what_is_seen(neurald, corpus):
    sizes = {}
    for families in ("metatokens", "text", "words", "metatokens,text"):
        figures = neurald.ok("eval", "--spam", corpus / "spam", "--ham",
                             corpus / "ham", "--families", families,
                             "--json").json
        sizes[families] = figures["sample_bytes"]
    assert sizes["words"] < sizes["text"] < sizes["metatokens,text"]
    assert sizes["metatokens"] < sizes["words"]


def test_one_class_only_says_so(neurald, corpus, tmp_path):
    fill_folder(tmp_path / "few", "ham", range(5))
    result = neurald.fails(1, "eval", "--spam", corpus / "spam", "--ham",
                           tmp_path / "few")
    assert "at least 20 of each class" in result.err


def test_a_test_part_of_one_class_has_no_auc(neurald, corpus):
    result = neurald.ok("eval", "--train-spam", corpus / "spam",
                        "--train-ham", corpus / "ham", "--spam",
                        corpus / "spam", "--json")
    assert result.json["auc"] is None
    assert "one class only" in result.err


def test_a_message_under_both_labels_is_evaluated_and_told(neurald, corpus,
                                                           tmp_path):
    (tmp_path / "both.eml").write_bytes(make_mail("spam", 3))
    result = neurald.ok("eval", "--spam", corpus / "spam", "--ham",
                        corpus / "ham", tmp_path / "both.eml", "--json")
    assert result.json["train"] + result.json["test"] == 161
    assert result.json["conflicts"] == 1
    assert "both.eml" in result.err


def test_empty_files_are_left_out_and_counted(neurald, corpus, tmp_path):
    for number in range(8):
        (tmp_path / f"empty-{number}.eml").write_bytes(b"")
    result = neurald.ok("eval", "--spam", corpus / "spam", tmp_path,
                        "--ham", corpus / "ham", "--json")
    assert result.json["train"] + result.json["test"] == 160
    assert result.json["skipped"] == 8
    assert "empty-3.eml" in result.err


# ---- the report ----

class Page(html.parser.HTMLParser):
    """What a page consists of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.links, self.words = {}, [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)
        self.links += [value for name, value in attributes
                       if name in ("href", "src", "xlink:href", "action")
                       or name.startswith("on")]

    def handle_startendtag(self, tag, attributes):
        self.tags[tag] = self.tags.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_report_is_whole_and_alone(evaluated):
    page = Page(evaluated[2])
    assert page.open == []
    assert page.tags["svg"] == 4
    assert page.tags.get("script") is None and page.links == []
    assert "url(" not in evaluated[2] and "@import" not in evaluated[2]
    text = " ".join(page.words)
    for words in ("AUC", "ROC curve", "Calibration", "unsure",
                  "Ham that looked most like spam",
                  "Spam that looked most like ham"):
        assert words in text, words
    assert f"{evaluated[0]['auc']:.4f}" in text
    drawn = re.findall(r"<svg.*?</svg>", evaluated[2], re.DOTALL)
    assert not re.search(r"\b(nan|inf)\b", "".join(drawn))


def test_senders_words_stay_words_in_the_report(neurald, corpus, tmp_path,
                                                mail):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
    fill_folder(tmp_path / "spam", "spam", range(300, 310))
    bad = mail("spam", 900, name="<b>bad.eml", Subject=evil,
               From=f"{evil} <a@b.example>")
    neurald.ok("eval", "--train-spam", corpus / "spam", "--train-ham",
               corpus / "ham", "--spam", tmp_path / "spam", "--ham", bad,
               "--report", "report.html")
    text = (neurald.home / "report.html").read_text()
    page = Page(text)
    assert not {"script", "img", "b"} & set(page.tags)
    assert evil in "".join(page.words)
    assert "<b>bad.eml" in "".join(page.words)


def test_peers_stand_beside_ours(neurald, corpus, tmp_path):
    peers = tmp_path / "peers"
    peers.write_text("# comment\nother <x>\t0.9876\t0.5\t-\t0.75\n")
    neurald.ok("eval", "--spam", corpus / "spam", "--ham", corpus / "ham",
               "--report", "report.html", "--peers", peers)
    text = " ".join(Page((neurald.home / "report.html").read_text()).words)
    assert "other <x>" in text and "0.9876" in text
    peers.write_text("other 0.9\n")
    neurald.fails(65, "eval", "--spam", corpus / "spam", "--ham",
                  corpus / "ham", "--report", "r.html", "--peers", peers,
                  words=":1:")
    assert not (neurald.home / "r.html").exists()


def test_a_report_that_cannot_be_written_is_an_error(neurald, corpus):
    result = neurald.run("eval", "--spam", corpus / "spam", "--ham",
                         corpus / "ham", "--report", "/nonexistent/r.html")
    assert result.status == 73
    assert "/nonexistent/r.html" in result.err


# ---- bench ----

def write_vectors(path, count, seed):
    chance = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for _ in range(count):
            label = chance.choice((1, -1))
            columns = sorted(chance.sample(range(1, 50), 6))
            values = " ".join(f"{column}:{chance.random():.3f}"
                              for column in columns)
            marker = f" {51 + (label > 0)}:1" if chance.random() < 0.9 else ""
            file.write(f"{label} {values}{marker} # a comment\n")
    return path


def test_bench_measures_the_network_alone(neurald, tmp_path):
    train = write_vectors(tmp_path / "train", 400, 1)
    test = write_vectors(tmp_path / "test", 200, 2)
    told = neurald.ok("bench", "--svmlight", train, "--test", test,
                      "--hidden", "16", "--epochs", "10", "--json").json
    assert told["auc"] > 0.9
    assert 0 < told["loss"] < 0.6
    assert told["seconds"] > 0 and told["epochs"] == 10
    assert (told["train"], told["test"]) == (400, 200)
    digits = re.sub(r"e.*|\D", "", repr(told["score_microseconds"]))
    assert len(digits.lstrip("0")) <= 3


def test_bench_tests_on_what_it_trained_on_unless_told(neurald, tmp_path):
    train = write_vectors(tmp_path / "train", 300, 1)
    told = neurald.ok("bench", "--svmlight", train, "--hidden", "0",
                      "--epochs", "5", "--json").json
    assert told["test"] == 300


def test_bench_names_a_bad_line(neurald, tmp_path):
    path = tmp_path / "bad"
    path.write_text("1 1:0.5\n-1 x:1\n")
    neurald.fails(65, "bench", "--svmlight", path, words=["bad", "2"])
    path.write_text("1 1:0.5\n")
    neurald.fails(1, "bench", "--svmlight", path)
    neurald.fails(66, "bench", "--svmlight", "/nonexistent",
                  words="/nonexistent")
