# SPDX-License-Identifier: Apache-2.0
"""Stores that cannot be used: it is said why and what to do, nothing is made
worse, and scoring goes on where it can."""
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from conftest import fill_folder, make_mail, unprivileged
from daemon import Daemon


def digest(path):
    return path.read_bytes()


def test_a_store_that_is_a_directory(neurald, mail, tmp_path):
    (tmp_path / "folder").mkdir()
    for command in (["learn", "--spam", mail()], ["score", mail()],
                    ["status"], ["train"]):
        result = neurald.run(*command, "--store", tmp_path / "folder")
        assert result.status >= 64, command
        assert "folder" in result.err
    assert list((tmp_path / "folder").iterdir()) == []


@pytest.mark.parametrize("data", [b"Subject: mail\n\nnot a store\n" * 100,
                                  b"\0" * 8192, b"x"])
def test_a_file_that_is_no_store_stays(neurald, mail, tmp_path, data):
    path = tmp_path / "letter"
    path.write_bytes(data)
    for command in (["learn", "--spam", mail()], ["score", mail()],
                    ["status"]):
        result = neurald.run(*command, "--store", path)
        assert result.status >= 64, command
        assert "letter" in result.err
    assert digest(path) == data


def test_another_programs_database_stays(neurald, mail, tmp_path):
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE music (title)")
    other.commit()
    other.close()
    before = digest(path)
    result = neurald.run("learn", "--spam", mail(), "--store", path)
    assert result.status >= 64 and "other.db" in result.err
    assert digest(path) == before


def test_a_read_only_store_still_scores(trained, mail):
    nobody = unprivileged(trained.store)
    trained.ok("learn", "--spam", mail("spam", 1))
    folder = trained.store.parent
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    try:
        line = trained.ok("score", "--json", data=make_mail("spam", 900),
                          **nobody).json
        assert line["verdict"] == "spam"
        told = trained.ok("status", "--json", **nobody).json
        result = trained.run("learn", "--spam", data=make_mail("spam", 2),
                             **nobody)
        assert result.status == 77, result.err
        assert str(trained.store) in result.err
        trained.fails(77, "forget", "--source", "user", **nobody)
        result = trained.run("train", **nobody)
        assert result.status == 77, result.err
        doctor = trained.run("doctor", **nobody)
        assert doctor.status == 69 and "fail" in doctor.text
        assert trained.ok("status", "--json", **nobody).json["spam"] == \
            told["spam"]
    finally:
        folder.chmod(0o755)


def test_a_store_that_may_not_be_read(trained, mail):
    nobody = unprivileged(trained.store)
    trained.store.chmod(0)
    if os.geteuid() != 0 and os.access(trained.store, os.R_OK):
        pytest.skip("this user may read everything")
    trained.fails(77, "score", data=make_mail("spam", 1),
                  words=str(trained.store), **nobody)
    result = trained.ok("score", "--headers", data=make_mail("spam", 1),
                        **nobody)
    assert b"reason=" in result.out.split(b"\n")[0]


def limited(size):
    """Files may not grow beyond size bytes."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def test_a_file_size_limit_loses_nothing(trained, corpus, tmp_path):
    before = trained.ok("status", "--json").json
    for number in range(300):
        (tmp_path / f"{number}.eml").write_bytes(
            make_mail("spam", 2000 + number))
    result = trained.run("learn", "--spam", tmp_path,
                         preexec_fn=limited(128 << 10))
    assert result.status in (74, 69, 75), (result.status, result.err)
    after = trained.ok("status", "--json").json
    assert after["ham"] == before["ham"]
    assert after["spam"] >= before["spam"]
    assert trained.ok("score", "--json",
                      data=make_mail("spam", 900)).json["verdict"] == "spam"
    trained.ok("learn", "--spam", tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none",
                           folder], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("this user may not mount a small file system")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_refuses_learning_and_keeps_scoring(trained, small_disk,
                                                        tmp_path):
    store = small_disk / "neurald.db"
    trained.ok("model", "export", tmp_path / "m.nd")
    trained.ok("learn", "--spam", "--store", store,
               data=make_mail("spam", 1))
    trained.ok("model", "import", tmp_path / "m.nd", "--store", store)
    for number in range(1500):
        (tmp_path / f"{number}.eml").write_bytes(
            make_mail("ham", 2000 + number))
    result = trained.fails(74, "learn", "--ham", tmp_path, "--store", store)
    assert "room" in result.err or "full" in result.err
    told = trained.ok("status", "--json", "--store", store).json
    assert told["spam"] == 1
    assert told["ham"] == told["accounts"]["stored"] - 1
    line = trained.ok("score", "--json", "--store", store,
                      data=make_mail("spam", 900)).json
    assert line["generation"] > 0
    assert trained.run("doctor", "--store", store).status in (0, 69)


def fill_disk(folder):
    """Leaves not a byte; answers the file to remove."""
    path = folder / "filling"
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            pass
    return path


def test_a_disk_without_a_byte_left_still_scores(trained, small_disk,
                                                 tmp_path):
    """Connections to a store share memory beside it, which takes room."""
    store = small_disk / "neurald.db"
    shutil.copy(trained.store, store)
    filling = fill_disk(small_disk)
    with Daemon(trained, tmp_path, before=("--store", store)) as daemon:
        daemon.wait_until_ready()
        spam = make_mail("spam", 900)
        assert daemon.score(spam)["verdict"] == "spam"
        line = trained.ok("score", "--json", "--store", store, data=spam).json
        assert line["verdict"] == "spam"
        assert trained.ok("status", "--json", "--store", store).json["spam"] \
            == 80
        new = make_mail("spam", 3000)
        trained.fails(74, "learn", "--spam", "--store", store, data=new,
                      words="no room")
        trained.fails(74, "train", "--store", store, words="no room")
        assert daemon.learn(new, "spam").code == 507
        filling.unlink()
        assert daemon.learn(new, "spam").code == 200
    told = trained.ok("status", "--json", "--store", store).json
    assert told["spam"] == 81 and told["accounts"]["stored"] == 161


def test_a_store_of_a_later_version_is_never_written(trained, mail):
    """Whatever number the version is kept in, a higher one is refused."""
    database = sqlite3.connect(trained.store)
    version = database.execute("PRAGMA user_version").fetchone()[0]
    assert version > 0
    database.execute(f"PRAGMA user_version = {version + 1}")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = digest(trained.store)
    for command in (["learn", "--spam", mail()], ["score", mail()],
                    ["train"], ["status"], ["forget", mail()]):
        result = trained.fails(76, *command)
        assert f"version {version + 1}" in result.err
    assert digest(trained.store) == before
    assert "upgrade" in trained.run("doctor").text


@pytest.mark.parametrize("share", [0.5, 0.1, 0.9])
def test_a_store_cut_in_half_is_told(trained, mail, share):
    for extra in trained.store.parent.glob("neurald.db-*"):
        extra.unlink()
    whole = digest(trained.store)
    trained.store.write_bytes(whole[:int(len(whole) * share)])
    for command in (["learn", "--spam", mail("spam", 2222)], ["status"],
                    ["score", mail()], ["train"], ["model", "list"],
                    ["forget", mail()]):
        trained.fails(65, *command, words=[str(trained.store), "damaged",
                                           "restore it from a backup"])
    doctor = trained.run("doctor")
    assert doctor.status == 69 and "fail" in doctor.text
    assert digest(trained.store) == whole[:int(len(whole) * share)]
    result = trained.ok("score", "--headers", data=make_mail("spam", 1))
    assert result.out.endswith(make_mail("spam", 1))
    trained.store.write_bytes(whole)
    assert trained.ok("status", "--json").json["spam"] == 80


def test_doctor_is_content_with_a_good_store(trained):
    lines = trained.ok("doctor", "--json").lines
    told = {line["check"]: line["result"] for line in lines}
    for check in ("store", "writing", "integrity", "clock", "lease",
                  "classes", "model", "free space", "file mode"):
        assert told[check] == "ok", (check, told)
    assert all(line["remedy"] for line in lines if line["result"] != "ok")


def test_doctor_names_the_remedy(neurald, mail):
    result = neurald.run("doctor")
    assert result.status == 69 and "neurald learn" in result.text
    neurald.ok("learn", "--spam", mail())
    neurald.store.chmod(0o644)
    lines = {line["check"]: line for line in
             neurald.ok("doctor", "--json").lines}
    assert lines["file mode"]["result"] == "warn"
    assert "chmod" in lines["file mode"]["remedy"]
    assert lines["classes"]["result"] == "warn"
    assert lines["model"]["result"] == "warn"


def test_doctor_sees_mostly_autolearned_samples(neurald, corpus):
    neurald.ok("learn", "--spam", corpus / "spam", "--source", "autolearn")
    lines = {line["check"]: line for line in
             neurald.ok("doctor", "--json").lines}
    assert lines["autolearn"]["result"] == "warn"


def test_a_copied_store_works(trained, mail, tmp_path):
    shutil.copy(trained.store, tmp_path / "copy.db")
    line = trained.ok("score", "--json", mail("spam", 900), "--store",
                      tmp_path / "copy.db").json
    assert line["verdict"] == "spam"


def findings(neurald, *arguments):
    """doctor's findings by check."""
    result = neurald.run("doctor", "--json", *arguments)
    assert result.status in (0, 69)
    return {line["check"]: line for line in result.lines}


def test_doctor_sees_a_lopsided_store(neurald, corpus, tmp_path):
    fill_folder(tmp_path / "few", "ham", range(25))
    fill_folder(tmp_path / "many", "spam", range(300))
    neurald.ok("learn", "--spam", tmp_path / "many", "--ham",
               tmp_path / "few")
    told = findings(neurald)["classes"]
    assert told["result"] == "warn" and "smaller class" in told["remedy"]


def test_doctor_sees_a_lease_that_was_left_behind(neurald, corpus,
                                                  configured):
    path = configured("rule default { max_iterations = 4000\n seeds = 4\n"
                      "lease = 5s }\n")
    neurald.ok("learn", "--spam", corpus / "spam", "--ham", corpus / "ham")
    process = neurald.start("train", "--config", path,
                            stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while "held" not in findings(neurald)["lease"]["text"]:
        assert time.monotonic() < deadline
    assert findings(neurald)["lease"]["result"] == "ok"
    process.kill()
    process.wait()
    while findings(neurald)["lease"]["result"] == "ok":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "left behind" in findings(neurald)["lease"]["text"]


def test_doctor_and_status_see_a_model_of_another_key(trained, configured,
                                                      tmp_path):
    key = tmp_path / "key"
    key.write_text("ab" * 32 + "\n")
    key.chmod(0o600)
    path = configured(f"key_file = \"{key}\"\n")
    told = findings(trained, "--config", path)
    assert told["key file"]["result"] == "ok"
    assert told["model"]["result"] == "fail"
    status = trained.ok("status", "--json", "--config", path).json
    assert "key" in status["problem"]
    assert "problem" in trained.ok("status", "--config", path).text


def test_doctor_follows_the_configurations_key_file(trained, configured):
    path = configured('key_file = "/nonexistent/key"\n')
    told = findings(trained, "--config", path)
    assert told["key file"]["result"] == "fail"
    assert told["store"]["result"] == "fail"
