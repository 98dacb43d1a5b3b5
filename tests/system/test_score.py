# SPDX-License-Identifier: Apache-2.0
"""score and explain: verdicts in every shape, and mail that passes."""
import json
import os
import re
import subprocess

import pytest

from conftest import make_mail, peak_of

KEYS = ["path", "probability", "verdict", "symbol", "weight", "generation"]


def without_ours(data):
    """The message, and the value of our header on top of it."""
    match = re.match(rb"((?:From [^\n]*\n)?)X-Neurald: ([^\r\n]*)\r?\n", data)
    assert match, data[:200]
    return match.group(1) + data[match.end():], match.group(2).decode()


def test_score_tells_spam_from_ham(trained, mail):
    lines = trained.ok("score", "--json", mail("spam", 900),
                       mail("ham", 900)).lines
    assert [line["verdict"] for line in lines] == ["spam", "ham"]
    for line in lines:
        assert set(KEYS) <= set(line)
    spam, ham = lines
    assert spam["probability"] > 0.5 > ham["probability"]
    assert spam["symbol"] == "NEURALD_SPAM" and ham["symbol"] == "NEURALD_HAM"
    assert 0 < spam["weight"] <= 3 and -1 <= ham["weight"] < 0
    assert spam["generation"] == ham["generation"] > 0
    assert spam["path"] == str(mail("spam", 900))


def test_a_line_for_people(trained, mail):
    out = trained.ok("score", mail("spam", 900)).text
    assert re.fullmatch(r"\S+spam-900\.eml: spam 0\.\d{5} NEURALD_SPAM "
                        r"\+\d\.\d\d\n", out)


def test_a_folder_gives_a_line_a_message(trained, corpus):
    lines = trained.ok("score", "--json", corpus / "spam").lines
    assert len(lines) == 80
    assert sorted(line["path"] for line in lines) == \
        [line["path"] for line in lines]


def test_standard_input_is_scored(trained):
    line = trained.ok("score", "--json", data=make_mail("spam", 900)).json
    assert (line["path"], line["verdict"]) == ("-", "spam")


def test_scan_results_count_when_scoring(neurald, corpus, tmp_path, mail):
    scans = tmp_path / "scans"
    scans.write_text("".join(json.dumps(
        {"id": path.stem, "symbols": {f"R_{label.upper()}": 1.0}}) + "\n"
        for label in ("spam", "ham")
        for path in (corpus / label).iterdir()))
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham",
               "--scan", scans)
    neurald.ok("train")
    path = mail("ham", 900, name="new.eml")
    plain = neurald.ok("score", "--json", path).json
    scans.write_text('{"id": "new", "symbols": {"R_SPAM": 1.0}}\n')
    scanned = neurald.ok("score", "--json", path, "--scan", scans).json
    assert scanned["log_odds"] > plain["log_odds"]
    told = neurald.ok("explain", "--json", "--limit", "9999", path, "--scan",
                      scans).json
    symbols = [reason for reason in told["reasons"]
               if reason["family"] == "symbols"]
    assert symbols and all("R_SPAM" in reason["name"] for reason in symbols)
    piped = neurald.ok("score", "--headers", path, "--scan", scans).out
    assert without_ours(piped)[1].startswith(scanned["verdict"])


def test_a_rule_is_chosen_by_name(trained, mail, configured):
    path = configured("rule other {}\nrule default {}\n")
    first = trained.ok("score", "--json", mail(), "--config", path).json
    named = trained.ok("score", "--json", mail(), "--config", path,
                       "--rule", "default").json
    assert first["generation"] == 0 and named["generation"] > 0


def test_exit_codes_are_verdicts_only_when_asked(trained, mail):
    spam, ham = mail("spam", 900), mail("ham", 900)
    assert trained.run("score", spam).status == 0
    assert trained.run("score", ham).status == 0
    assert trained.run("score", "--exit-code", spam).status == 0
    assert trained.run("score", "--exit-code", ham).status == 1
    assert trained.run("score", "--exit-code", ham, spam).status == 0


def test_without_a_model_there_is_no_opinion(neurald, mail):
    neurald.ok("learn", "--spam", mail("spam", 1))
    result = neurald.run("score", "--json", "--exit-code", mail("spam", 2))
    assert result.status == 2
    assert "no model" in result.err
    line = result.json
    assert (line["verdict"], line["probability"], line["symbol"],
            line["weight"], line["generation"]) == ("unsure", 0.5, "", 0, 0)


def test_errors_are_no_verdicts(neurald, trained, mail, tmp_path):
    for arguments in (["--exit-code", "/nonexistent"],
                      ["--exit-code", mail(data=b"", name="empty.eml")],
                      ["--exit-code", mail(), "--store", "/nonexistent"]):
        assert trained.run("score", *arguments).status >= 64, arguments
    (tmp_path / "hollow").mkdir()
    assert trained.run("score", "--exit-code",
                       tmp_path / "hollow").status >= 64


# ---- --headers ----

MAILS = {
    "plain": make_mail("spam", 900),
    "crlf": make_mail("spam", 900).replace(b"\n", b"\r\n"),
    "mbox line": b"From a@b Thu Oct  1 10:00:00 2026\n"
                 + make_mail("spam", 900),
    "no body": b"Subject: a",
    "no header": b"\nbody\n",
    "no end of line": make_mail("spam", 900)[:-1],
    "nul bytes": make_mail("spam", 900).replace(b" ", b"\0", 40),
    "eight bits": bytes(range(256)) * 50,
    "one line": b"x" * 300000,
}


@pytest.mark.parametrize("name", MAILS)
@pytest.mark.parametrize("way", ["pipe", "file"])
def test_a_message_passes_byte_for_byte(trained, mail, name, way):
    data = MAILS[name]
    if way == "pipe":
        result = trained.ok("score", "--headers", data=data)
    else:
        result = trained.ok("score", "--headers", mail(data=data))
    rest, value = without_ours(result.out)
    assert rest == data
    assert re.match(r"(spam|ham|unsure), probability=[01]\.\d{5}", value)


def test_our_header_ends_its_line_as_the_message_does(trained):
    out = trained.ok("score", "--headers", data=MAILS["crlf"]).out
    assert b"\n" not in out.split(b"\r\n")[0]
    out = trained.ok("score", "--headers", data=MAILS["plain"]).out
    assert b"\r" not in out


def test_a_forged_header_is_removed(trained):
    data = make_mail("spam", 900)
    forged = data.replace(
        b"\nDate:", b"\nX-Neurald: ham, probability=0.00001\n folded\n"
                    b"x-neurald : ham\nDate:", 1)
    assert forged != data
    out = trained.ok("score", "--headers", data=forged).out
    rest, value = without_ours(out)
    assert rest == data
    assert value.startswith("spam, ")


def test_our_header_does_not_change_the_next_verdict(trained, mail):
    once = trained.ok("score", "--headers", data=make_mail("spam", 900)).out
    again = trained.ok("score", "--json", data=once).json
    first = trained.ok("score", "--json", data=make_mail("spam", 900)).json
    assert again == first


def test_headers_and_json_agree(trained, mail):
    path = mail("ham", 900)
    line = trained.ok("score", "--json", path).json
    _, value = without_ours(trained.ok("score", "--headers", path).out)
    assert value == (f"ham, probability={line['probability']:.5f}, "
                     f"symbol=NEURALD_HAM, weight={line['weight']:.2f}, "
                     f"generation={line['generation']}")


def test_headers_with_exit_code(trained, mail):
    for label, status in (("spam", 0), ("ham", 1)):
        result = trained.run("score", "--headers", "--exit-code",
                             mail(label, 900))
        assert result.status == status
        assert without_ours(result.out)[0] == make_mail(label, 900)


def broken_store(neurald):
    neurald.store.parent.mkdir(parents=True, exist_ok=True)
    neurald.store.write_bytes(b"not a store at all" * 1000)


@pytest.mark.parametrize("trouble, words", [
    ("no store", "no store"),
    ("broken store", "store"),
    ("no model", "no model"),
    ("no configuration", "nonexistent"),
    ("broken configuration", "neurald.conf:1"),
    ("no scan file", "nonexistent"),
    ("empty message", "empty"),
    ("no such rule", "nosuchrule"),
])
def test_whatever_fails_the_message_comes_through(neurald, mail, configured,
                                                  trouble, words):
    data = make_mail("spam", 900)
    arguments = []
    if trouble == "broken store":
        broken_store(neurald)
    elif trouble == "no model":
        neurald.ok("learn", "--spam", mail("spam", 1))
    elif trouble == "no configuration":
        arguments = ["--config", "/nonexistent"]
    elif trouble == "broken configuration":
        arguments = ["--config", configured("stoer = x\n")]
    elif trouble == "no scan file":
        arguments = ["--scan", "/nonexistent"]
    elif trouble == "no such rule":
        arguments = ["--rule", "nosuchrule"]
    elif trouble == "empty message":
        neurald.ok("learn", "--spam", mail("spam", 1))
        data = b""
    result = neurald.ok("score", "--headers", *arguments, data=data)
    rest, value = without_ours(result.out)
    assert rest == data
    assert value.startswith("unsure, probability=0.50000, generation=0, "
                            "reason=")
    assert words in value
    assert neurald.run("score", "--headers", "--exit-code", *arguments,
                       data=data).status == 2


def test_a_message_that_cannot_be_written_is_75(trained, mail):
    with open("/dev/full", "wb") as full:
        trained.fails(75, "score", "--headers", mail(), stdout=full,
                      words="cannot write")
        trained.fails(75, "score", "--headers", "--exit-code", mail(),
                      stdout=full)


def test_a_reader_that_goes_away_is_75(trained):
    reading, writing = os.pipe()
    os.close(reading)
    result = trained.run("score", "--headers", stdout=writing,
                         data=make_mail("spam", 900))
    os.close(writing)
    assert result.status == 75


def test_a_huge_message_streams_in_little_memory(trained, tmp_path):
    path = tmp_path / "huge.eml"
    head = make_mail("spam", 900)
    with open(path, "wb") as file:
        file.write(head)
        for _ in range(100):
            file.write(b"y" * 1048575 + b"\n")
    with open(path, "rb") as source, open(tmp_path / "out", "wb") as target:
        process = trained.start("score", "--headers", stdin=source,
                                stdout=target)
        peak = peak_of(process)
    assert process.returncode == 0
    assert 1 < peak < 100
    done = subprocess.run(
        f"tail -n +2 {tmp_path}/out | cmp - {path}", shell=True, check=False)
    assert done.returncode == 0


# ---- explain ----

def test_explain_names_features_and_their_changes(trained, mail):
    told = trained.ok("explain", "--json", "--limit", "15",
                      mail("spam", 900)).json
    assert set(KEYS) <= set(told)
    assert told["verdict"] == "spam"
    assert len(told["reasons"]) == 15
    changes = [abs(reason["change"]) for reason in told["reasons"]]
    assert changes == sorted(changes, reverse=True)
    families = {reason["family"] for reason in told["reasons"]}
    assert families <= {"symbols", "metatokens", "words", "pairs", "grams",
                        "structure", "urls", "headers", "header_grams"}
    assert any(reason["change"] > 0 for reason in told["reasons"])


def test_explain_for_people(trained, mail):
    out = trained.ok("explain", mail("ham", 900)).text
    assert "towards ham" in out
    assert len(out.splitlines()) == 22


def test_explain_without_a_model_is_nothing_to_do(neurald, mail):
    neurald.ok("learn", "--spam", mail("spam", 1))
    neurald.fails(1, "explain", mail(), words="no model")


def test_senders_words_cannot_reach_the_terminal(trained, mail):
    path = mail("spam", 900, Subject="\x1b[31mred\x07 \x9b31m")
    for command in ("score", "explain"):
        out = trained.ok(command, path).out
        assert b"\x1b" not in out and b"\x07" not in out
