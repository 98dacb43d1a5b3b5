# SPDX-License-Identifier: Apache-2.0
"""learn, forget, relabel, train and status: the store's accounts add up."""
import json
import mailbox
import random
import re
import signal
import stat
import subprocess
import time

import pytest

from conftest import fill_folder, make_mail, peak_of


def status(neurald):
    return neurald.ok("status", "--json").json


def counts(neurald):
    told = status(neurald)
    return told["spam"], told["ham"]


def test_learn_says_what_changed_in_words(neurald, corpus, mail):
    out = neurald.ok("learn", "--spam", corpus / "spam",
                     "--ham", corpus / "ham").text
    assert out == "default: +80 spam samples, +80 ham samples, " \
                  "now 80 spam, 80 ham\n"
    out = neurald.ok("learn", "--spam", mail("spam")).text
    assert out == "default: +1 spam sample, now 81 spam, 80 ham\n"
    out = neurald.ok("learn", "--spam", mail("spam")).text
    assert out == "default: 1 known already, now 81 spam, 80 ham\n"


def test_learn_counts_as_json(neurald, corpus):
    told = neurald.ok("learn", "--spam", corpus / "spam", "--json").json
    assert told == {
        "rule": "default", "messages": 80, "stored_spam": 80, "stored_ham": 0,
        "replaced": 0, "relabelled": 0, "merged": 0, "duplicate": 0,
        "refused": {}, "spam": 80, "ham": 0, "skipped": 0, "conflicts": 0}


def test_only_learn_makes_the_default_store(neurald, mail):
    path = mail()
    for command in (["score", path], ["status"], ["train"], ["explain", path],
                    ["model", "list"], ["forget", path],
                    ["relabel", "--to", "ham", path]):
        neurald.fails(66, *command, words=str(neurald.store))
    neurald.run("doctor")
    assert list(neurald.home.iterdir()) == []
    neurald.ok("learn", "--spam", path)
    assert neurald.store.exists()
    assert stat.S_IMODE(neurald.store.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(neurald.store.stat().st_mode) & 0o077 == 0


def test_the_state_directory_is_the_environments(neurald, mail, tmp_path):
    neurald.environment["XDG_STATE_HOME"] = str(tmp_path / "state/deep")
    neurald.ok("learn", "--spam", mail())
    assert (tmp_path / "state/deep/neurald/neurald.db").exists()


def test_no_other_folder_is_made(neurald, mail, tmp_path):
    path = tmp_path / "no/such/folder/store.db"
    result = neurald.run("learn", "--spam", mail(), "--store", path)
    assert result.status in (66, 73, 74)
    assert str(path) in result.err
    assert not (tmp_path / "no").exists()


def test_standard_input_is_learned(neurald):
    neurald.ok("learn", "--spam", data=make_mail("spam", 1))
    neurald.ok("learn", "--ham", "-", data=make_mail("ham", 1))
    assert counts(neurald) == (1, 1)


def test_an_mbox_and_a_maildir_are_learned(neurald, tmp_path):
    box = mailbox.mbox(tmp_path / "box")
    folder = mailbox.Maildir(tmp_path / "Maildir")
    for number in range(5):
        box.add(make_mail("spam", number))
        folder.add(make_mail("ham", number))
    box.flush()
    neurald.ok("learn", "--spam", tmp_path / "box",
               "--ham", tmp_path / "Maildir")
    assert counts(neurald) == (5, 5)


def test_one_message_is_one_sample(neurald, mail, tmp_path):
    box = mailbox.mbox(tmp_path / "box")
    box.add(make_mail("spam", 1000))
    box.flush()
    neurald.ok("learn", "--spam", mail("spam", 1000))
    neurald.ok("learn", "--spam", tmp_path / "box")
    relayed = b"Received: from a by b; Thu, 1 Oct 2026 10:00:00 +0000\n" \
        + make_mail("spam", 1000)
    neurald.ok("learn", "--spam", data=relayed)
    assert counts(neurald) == (1, 0)


def test_a_message_under_both_labels_is_told(neurald, mail):
    result = neurald.ok("learn", "--spam", mail("spam", 7),
                        "--ham", mail("spam", 7, name="copy.eml"))
    assert "both as spam and as ham" in result.err
    assert "copy.eml" in result.err
    assert counts(neurald) == (0, 1)
    assert status(neurald)["accounts"]["relabelled"] == 1


def test_learning_the_other_label_relabels(neurald, mail):
    neurald.ok("learn", "--spam", mail())
    out = neurald.ok("learn", "--ham", mail()).text
    assert out == "default: 1 relabelled, now 0 spam, 1 ham\n"


def write_scan(path, ident, symbols):
    path.write_text(json.dumps({"id": ident, "symbols": symbols}) + "\n")
    return path


def test_scan_results_become_symbols(neurald, mail, tmp_path):
    scans = write_scan(tmp_path / "scans", "spam-7", {"R_ONE": 1.5, "R_0": 0})
    plain = neurald.ok("learn", "--spam", mail("spam", 8), "--json").json
    assert plain["stored_spam"] == 1
    before = status(neurald)["registry_length"]
    neurald.ok("learn", "--spam", mail("spam", 7, name="spam-7.eml"),
               "--scan", scans)
    assert status(neurald)["registry_length"] > before


def test_a_scan_that_comes_later_completes_the_sample(neurald, mail, tmp_path):
    path = mail("spam", 7, name="spam-7.eml")
    scans = write_scan(tmp_path / "scans", "spam-7", {"R_ONE": 1.5})
    neurald.ok("learn", "--spam", path)
    told = neurald.ok("learn", "--spam", path, "--scan", scans, "--json").json
    assert (told["merged"], told["spam"]) == (1, 1)
    told = neurald.ok("learn", "--spam", path, "--scan", scans, "--json").json
    assert told["duplicate"] == 1


def test_a_user_outranks_autolearn(neurald, mail):
    neurald.ok("learn", "--spam", mail(), "--source", "user")
    told = neurald.ok("learn", "--ham", mail(), "--source", "autolearn",
                      "--json").json
    assert told["refused"] == {"lower_rank": 1}
    assert counts(neurald) == (1, 0)
    assert status(neurald)["refused"] == {"lower_rank": 1}
    sources = status(neurald)["sources"]
    assert sources["spam"] == {"autolearn": 0, "api": 0, "trap": 0, "user": 1}


def test_forget_by_message(neurald, corpus, mail):
    neurald.ok("learn", "--spam", corpus / "spam", mail("spam", 1000))
    assert neurald.ok("forget", mail("spam", 1000), "--dry-run",
                      "--json").json == {
        "rule": "default", "forgotten": 1, "absent": 0, "dry_run": True}
    assert counts(neurald) == (81, 0)
    out = neurald.ok("forget", mail("spam", 1000), mail("ham", 5)).text
    assert out == "default: 1 sample forgotten, 1 not there\n"
    assert counts(neurald) == (80, 0)


def test_forget_by_source_and_time_undoes_a_poisoning(neurald, corpus,
                                                      tmp_path):
    poison = fill_folder(tmp_path / "poison", "ham", range(500, 520))
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    neurald.ok("learn", "--spam", poison, "--source", "autolearn")
    assert counts(neurald) == (100, 80)
    would = neurald.ok("forget", "--source", "autolearn", "--since", "2d",
                       "--dry-run", "--json").json
    assert (would["forgotten"], counts(neurald)) == (20, (100, 80))
    neurald.ok("forget", "--source", "autolearn", "--since", "2d")
    assert counts(neurald) == (80, 80)
    none = neurald.ok("forget", "--source", "user", "--until", "2d", "--json")
    assert none.json["forgotten"] == 0


def test_relabel_by_message_and_in_bulk(neurald, corpus, mail):
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", mail("ham", 1000))
    neurald.ok("learn", "--spam", mail("ham", 1001), "--source", "trap")
    told = neurald.ok("relabel", "--to", "spam", mail("ham", 1000),
                      mail("ham", 7), "--json").json
    assert (told["relabelled"], told["absent"]) == (1, 1)
    assert counts(neurald) == (82, 0)
    would = neurald.ok("relabel", "--to", "ham", "--source", "trap",
                       "--dry-run").text
    assert would == "default: 1 would be relabelled to ham\n"
    neurald.ok("relabel", "--to", "ham", "--source", "trap")
    assert counts(neurald) == (81, 1)


def test_an_identity_names_a_sample(neurald, mail):
    neurald.ok("learn", "--spam", mail())
    neurald.ok("forget", "--identity", "00" * 16)
    assert counts(neurald) == (1, 0)


def test_accounts_add_up(neurald, corpus, mail):
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    neurald.ok("learn", "--spam", corpus / "spam")
    neurald.ok("relabel", "--to", "ham", corpus / "spam/spam-0001.eml")
    neurald.ok("forget", corpus / "spam/spam-0002.eml", mail())
    told = status(neurald)
    accounts = told["accounts"]
    assert accounts["stored"] == 160
    assert accounts["duplicate"] == 80
    assert accounts["relabelled"] == 1
    assert accounts["forgotten"] >= 1
    assert told["spam"] + told["ham"] == 159


def test_train_promotes_the_first_model(neurald, corpus):
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    told = neurald.ok("train", "--json").json
    assert told["decision"] == "promoted"
    assert told["generation"] > 0
    assert (told["spam"], told["ham"]) == (80, 80)
    assert told["held_spam"] >= 10 and told["held_ham"] >= 10
    assert told["auc"] > 0.95
    after = status(neurald)
    assert after["generation"] == told["generation"]
    assert after["trainings"][0]["decision"] == "promoted"
    assert after["lease_holder"] == ""


def test_train_tells_its_progress(neurald, corpus):
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    result = neurald.ok("train")
    assert "training: " in result.err
    assert re.match(r"default: promoted as generation \d+", result.text)


@pytest.mark.parametrize("spam, ham", [(0, 30), (30, 0), (30, 19)])
def test_train_says_what_is_missing(neurald, tmp_path, spam, ham):
    for label, count in (("spam", spam), ("ham", ham)):
        if count > 0:
            fill_folder(tmp_path / label, label, range(count))
            neurald.ok("learn", f"--{label}", tmp_path / label)
    result = neurald.fails(1, "train")
    assert str(ham if ham < 20 else spam) in result.err
    assert status(neurald)["lease_holder"] == ""


def test_train_if_due_says_why_not(trained):
    result = trained.ok("train", "--if-due")
    assert "no training is due" in result.err


def test_a_rule_with_nothing_to_train_does_not_stop_the_others(
        neurald, configured, corpus):
    path = configured("rule few { min_train = 1000 }\nrule default {}\n"
                      "rule fewer { min_train = 2000 }\n")
    neurald.ok("--config", path, "learn", "--spam", corpus / "spam", "--ham",
               corpus / "ham")
    told = neurald.fails(1, "--config", path, "train", words=["1000", "2000"])
    assert "default: promoted" in told.text


def test_an_interrupt_gives_the_lease_back(neurald, corpus, configured):
    path = configured("rule default { max_iterations = 5000\n seeds = 8 }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    process = neurald.start("train", "--config", path,
                            stderr=subprocess.PIPE)
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 75, err
    assert status(neurald)["lease_holder"] == ""


def test_two_trainers_do_not_train_at_once(neurald, corpus, configured):
    path = configured("rule default { max_iterations = 5000\n seeds = 8 }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    first = neurald.start("train", "--config", path, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not status(neurald)["lease_holder"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    holder = status(neurald)["lease_holder"]
    neurald.fails(75, "train", words=holder)
    first.send_signal(signal.SIGTERM)
    assert first.wait(10) == 75


def test_status_shows_everything_in_words(trained, corpus):
    trained.ok("forget", corpus / "spam/spam-0001.eml")
    trained.run("learn", "--ham", corpus / "spam/spam-0002.eml", "--source",
                "autolearn")
    out = trained.ok("status").text
    for words in ("rule default, settings default", "79 spam (user 79)",
                  "80 ham (user 80)", "lease      free", "generation",
                  "promoted", "not due",
                  "target     20000 of each class (reservoir), at least 20",
                  "accounts   160 stored, 1 forgotten",
                  "refused    lower_rank 1", "80 spam, 80 ham, ",
                  "judged on 16 spam, 16 ham, AUC 1.00000, log-loss 0.0"):
        assert words in out, words


def test_status_shows_the_target_of_balanced(neurald, configured, mail):
    path = configured('rule default { learn_mode = balanced\n'
                      ' max_trains = 70 }\n')
    neurald.ok("learn", "--config", path, "--spam", mail())
    assert "target     70 of each class (balanced)" in \
        neurald.ok("status", "--config", path).text


def test_several_rules_learn_from_one_reading(neurald, mail, configured):
    path = configured("rule short { max_trains = 50 }\n"
                      "rule long { settings = inbound }\n")
    out = neurald.ok("learn", "--spam", data=make_mail("spam", 1),
                     **{}).text
    assert out.startswith("default: ")
    lines = neurald.ok("learn", "--spam", "-", "--config", path, "--json",
                       data=make_mail("spam", 2)).lines
    assert [line["rule"] for line in lines] == ["short", "long"]
    assert all(line["spam"] == 1 for line in lines)
    neurald.ok("learn", "--spam", mail(), "--config", path, "--rule", "long")
    told = {(line["rule"], line["settings"]): line for line in
            neurald.ok("status", "--config", path, "--json").lines}
    assert told["short", "default"]["spam"] == 1
    assert told["long", "inbound"]["spam"] == 2
    assert told["default", "default"]["configured"] is False


def test_learners_at_once_lose_nothing(neurald, tmp_path):
    processes = []
    for part in range(4):
        folder = fill_folder(tmp_path / str(part), "spam",
                             range(100 * part, 100 * part + 30))
        processes.append(neurald.start("learn", "--quiet", "--spam", folder))
    assert [process.wait(60) for process in processes] == [0] * 4
    assert counts(neurald) == (120, 0)


def test_a_corpus_is_trained_in_little_memory(neurald, configured, tmp_path):
    """4,600 messages of 250 words each, of a vocabulary of 60,000."""
    chance = random.Random(4606)
    for label, first in (("spam", 0), ("ham", 20000)):
        words = [f"{chance.randrange(1 << 30):x}" for _ in range(30000)]
        with open(tmp_path / label, "wb") as box:
            for number in range(first, first + 2300):
                text = " ".join(chance.choices(words, k=250))
                box.write(b"From a@b Thu Oct  1 10:00:00 2026\n" +
                          make_mail(label, number) + text.encode() + b"\n\n")
    process = neurald.start("learn", "--spam", tmp_path / "spam", "--ham",
                            tmp_path / "ham", stderr=subprocess.DEVNULL)
    assert peak_of(process) < 100
    assert process.returncode == 0
    config = configured("rule default { seeds = 1\n max_iterations = 1 }\n")
    process = neurald.start("train", "--config", config,
                            stderr=subprocess.DEVNULL)
    assert 100 < peak_of(process, seconds=120) < 500
    assert process.returncode == 0
    told = neurald.ok("status", "--json").json
    assert (told["spam"], told["ham"]) == (2300, 2300)
    assert told["payload_bytes"] / 4600 > 1500
