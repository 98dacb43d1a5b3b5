# SPDX-License-Identifier: Apache-2.0
"""An upgrade that gives families of features another layout, on each store.

The program of the next version is tests/layout/neurald_next: words have gained
a bit of slot, 4-grams are cut otherwise (tests/layout/next_table.h).
"""
import os
import pathlib
import shutil

import pytest

from conftest import PROGRAM, ROOT, Neurald, make_mail, open_to_all
from daemon import Daemon
from test_store_copy import Redis

BUILT = pathlib.Path(os.environ.get("NEURALD", ROOT / "build/neurald"))
NEXT = BUILT.parent / "tests/layout/neurald_next"
VERSION = 76  # EX_PROTOCOL, as everything that a later version made

pytestmark = pytest.mark.skipif(
    not NEXT.exists(), reason="the next version's program is not built: "
    "meson setup -Dtests=enabled, without sanitizers")


class Fleet:
    """Hosts of two versions on one store."""

    def __init__(self, folder, store):
        self.folder = folder
        self.store = store
        self.old = self.host(PROGRAM)
        self.new = self.host(open_to_all(NEXT))

    def host(self, program):
        return Neurald(self.folder, program)

    def configure(self, families="all", keep=5):
        config = self.folder / "neurald.conf"
        config.write_text(f'store = "{self.store}"\n'
                          'serve { roles = "score" }\nrule default {\n'
                          f' families = "{families}"\n keep_models = {keep}\n}}\n')

    def learn(self, host, numbers):
        paths = {label: self.folder / f"{label}-{numbers[0]}"
                 for label in ("spam", "ham")}
        for label, path in paths.items():
            path.mkdir(exist_ok=True)
            for number in numbers:
                (path / f"{number}.eml").write_bytes(make_mail(label, number))
        self.ask(host, "learn", "--spam", paths["spam"], "--ham", paths["ham"])

    def ask(self, host, *words):
        return host.ok("--config", self.folder / "neurald.conf", *words)

    def verdict(self, host, label="spam", number=900):
        path = self.folder / "asked.eml"
        path.write_bytes(make_mail(label, number))
        return self.ask(host, "score", "--json", path).json

    def status(self, host):
        return self.ask(host, "status", "--json").json


@pytest.fixture(params=["sqlite", "redis"])
def fleet(request, tmp_path):
    folder = tmp_path / "fleet"
    folder.mkdir()
    if request.param == "sqlite":
        yield Fleet(folder, f"sqlite:{folder}/neurald.db")
        return
    if shutil.which("redis-server") is None:
        pytest.skip("there is no redis-server")
    server = Redis(tmp_path / "redis")
    yield Fleet(folder, server.url)
    server.stop()


def test_a_family_that_only_grew_serves_the_old_model_in_full(fleet):
    fleet.configure("words")
    fleet.learn(fleet.old, range(80))
    fleet.ask(fleet.old, "train")
    for label in ("spam", "ham"):
        old, new = (fleet.verdict(host, label)
                    for host in (fleet.old, fleet.new))
        assert old["generation"] == new["generation"] > 0
        assert abs(old["probability"] - new["probability"]) < 1e-6
    assert fleet.status(fleet.new)["problem"] == ""
    shown = fleet.ask(fleet.new, "model", "show", "--json").json["families"]
    assert shown == [{"number": 2, "name": "words", "layout": 1,
                      "read": "narrowed"}]
    told = fleet.ask(fleet.new, "explain", fleet.folder / "asked.eml").text
    assert "word:" in told


def test_a_model_of_nothing_else_gives_no_opinion_and_says_why(fleet):
    fleet.configure("grams")
    fleet.learn(fleet.old, range(80))
    fleet.ask(fleet.old, "train")
    assert fleet.verdict(fleet.old)["verdict"] == "spam"
    assert fleet.verdict(fleet.new)["verdict"] == "unsure"
    assert "grams/1" in fleet.status(fleet.new)["problem"]
    assert "grams/1" in fleet.ask(fleet.new, "status").text
    assert "not read here grams/1" in fleet.ask(fleet.new, "model", "show").text
    told = fleet.new.run("--config", fleet.folder / "neurald.conf", "doctor")
    assert "layout" in told.text and "grams/1" in told.text
    # nothing in these samples can be learned from any more, which is counted
    told = fleet.new.run("--config", fleet.folder / "neurald.conf", "train")
    assert told.status == 1, told.err
    assert "0 spam and 0 ham" in told.err
    assert fleet.status(fleet.new)["refused"]["other_layout"] == 160


def test_both_versions_score_while_the_store_goes_over(fleet):
    fleet.configure()
    fleet.learn(fleet.old, range(80))
    fleet.ask(fleet.old, "train")
    before = fleet.verdict(fleet.old)
    assert before["verdict"] == "spam"
    assert fleet.verdict(fleet.new)["probability"] > 0.5  # without 4-grams
    fleet.learn(fleet.new, range(80, 160))
    told = fleet.ask(fleet.new, "train", "--json").json
    assert told["decision"] == "promoted"
    assert told["other_layout"] == 160
    assert told["spam"] == told["ham"] == 160
    after = fleet.verdict(fleet.new)
    assert after["generation"] > before["generation"]
    assert fleet.status(fleet.new)["problem"] == ""
    # the old host starts anew: it goes on with what it can read
    assert fleet.verdict(fleet.old) == before
    assert "family 9, family 10" in fleet.status(fleet.old)["problem"]
    # ... and does not train over what it cannot
    fleet.old.fails(VERSION, "--config", fleet.folder / "neurald.conf",
                    "train", words="later neurald")
    assert fleet.status(fleet.new)["trainings"][0]["decision"] == "promoted"
    assert not fleet.status(fleet.old)["due"]


def test_an_old_host_finds_its_model_again_after_many_newer_ones(fleet):
    fleet.configure(keep=1)
    config = ("--config", fleet.folder / "neurald.conf")
    spam = make_mail("spam", 900)
    fleet.learn(fleet.old, range(80))
    fleet.ask(fleet.old, "train")
    fleet.learn(fleet.new, range(80, 160))
    with Daemon(fleet.old, fleet.folder, before=config) as daemon:
        daemon.wait_until_ready()
        before = daemon.score(spam)
        assert before["verdict"] == "spam" and before["generation"] == 1
        daemon.wait_until(lambda: fleet.status(fleet.new)["hosts"])
        for _ in range(3):
            fleet.ask(fleet.new, "train")
        daemon.wait_until(lambda: daemon.metric(
            "neurald_models_refused_total") >= 1)
        assert daemon.score(spam) == before
    kept = [line["generation"] for line in
            fleet.ask(fleet.new, "model", "list", "--json").lines]
    assert len(kept) == 2 and kept[1] == 1
    with Daemon(fleet.old, fleet.folder, before=config) as daemon:
        daemon.wait_until_ready()
        assert daemon.score(spam) == before


def test_learning_again_gives_a_sample_both_layouts(fleet):
    fleet.configure("words,grams")
    fleet.learn(fleet.old, range(80))
    before = fleet.status(fleet.old)
    fleet.learn(fleet.new, range(80))
    after = fleet.status(fleet.new)
    assert after["spam"] == after["ham"] == 80
    assert after["accounts"]["merged"] == 160
    assert after["payload_bytes"] > before["payload_bytes"]
    told = fleet.ask(fleet.old, "train", "--json").json
    assert told["decision"] == "promoted"
    assert told["other_layout"] == 160  # it does not know the new ones
    told = fleet.ask(fleet.new, "train", "--json").json
    assert told["other_layout"] == 0
    fleet.learn(fleet.old, range(80))  # an old host takes nothing away
    assert fleet.status(fleet.old)["payload_bytes"] == after["payload_bytes"]


def test_a_model_of_a_later_layout_is_not_imported(fleet):
    fleet.configure("words")
    fleet.learn(fleet.new, range(80))
    fleet.ask(fleet.new, "train")
    path = fleet.folder / "model"
    fleet.ask(fleet.new, "model", "export", path, "--with-key")
    fleet.old.fails(VERSION, "--config", fleet.folder / "neurald.conf",
                    "model", "import", path,
                    words=["family 9", "upgrade this one"])
