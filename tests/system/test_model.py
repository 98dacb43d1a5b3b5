# SPDX-License-Identifier: Apache-2.0
"""model: generations, rollback, pin, and models as files."""
import random
import stat

import pytest

from conftest import Neurald, make_mail


@pytest.fixture
def two_generations(trained, corpus, mail):
    """The trained store, with a second generation from an import."""
    trained.ok("model", "export", "a.nd", "--with-key")
    trained.ok("model", "import", "a.nd")
    return trained


def generations(neurald):
    return [(line["generation"], line["live"], line["pinned"])
            for line in neurald.ok("model", "list", "--json").lines]


def live(neurald):
    return next(g for g, is_live, _ in generations(neurald) if is_live)


def test_a_store_without_models_lists_none(neurald, mail):
    neurald.ok("learn", "--spam", mail())
    result = neurald.ok("model", "list", "--json")
    assert result.out == b"" and "no model" in result.err
    neurald.fails(1, "model", "show", words="no model")
    neurald.fails(1, "model", "rollback")
    neurald.fails(1, "model", "pin", words="no model")
    neurald.fails(1, "model", "export", "x.nd", words="no model")


def test_show_tells_the_figures(trained):
    told = trained.ok("model", "show", "--json").json
    assert told["generation"] == live(trained)
    assert (told["spam"], told["ham"]) == (80, 80)
    assert told["hidden_units"] > 0 and told["inputs"] > 1000
    assert 0 < told["ham_threshold"] <= 0.5 <= told["spam_threshold"] < 1
    assert "generation" in trained.ok("model", "show").text


def test_rollback_goes_back_and_pin_stays(two_generations):
    neurald = two_generations
    new, old = (g for g, _, _ in generations(neurald))
    assert live(neurald) == new
    neurald.ok("model", "rollback")
    assert live(neurald) == old
    neurald.fails(1, "model", "rollback", words="no older")
    neurald.ok("model", "rollback", new)
    assert live(neurald) == new
    told = neurald.ok("model", "pin", old, "--json").json
    assert (told["generation"], told["pinned"]) == (old, True)
    assert (old, True, True) in generations(neurald)
    assert neurald.ok("score", "--json",
                      data=make_mail("spam", 1)).json["generation"] == old
    assert not neurald.ok("model", "unpin", "--json").json["pinned"]


def test_a_pinned_model_is_not_replaced(two_generations):
    neurald = two_generations
    pinned = live(neurald)
    neurald.ok("model", "pin")
    result = neurald.run("train")
    assert live(neurald) == pinned
    assert "pinned" in result.err + result.text


def test_an_unknown_generation_is_an_error(trained):
    for action in ("rollback", "pin", "show"):
        assert trained.run("model", action, 999999).status in (66, 65), action


def test_a_model_with_its_key_serves_elsewhere(trained, tmp_path, mail):
    path = tmp_path / "model.nd"
    result = trained.ok("model", "export", path, "--with-key")
    key = tmp_path / "model.nd.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert str(key) in result.err
    (tmp_path / "other").mkdir()
    other = Neurald(tmp_path / "other")
    generation = other.ok("model", "import", path, "--with-key",
                          "--json").json["generation"]
    for label in ("spam", "ham"):
        here = trained.ok("score", "--json", mail(label, 900)).json
        there = other.ok("score", "--json", mail(label, 900)).json
        assert there["generation"] == generation
        assert there["probability"] == pytest.approx(here["probability"])


def test_another_installations_model_is_refused(trained, tmp_path, mail):
    path = tmp_path / "model.nd"
    trained.ok("model", "export", path, "--with-key")
    (tmp_path / "other").mkdir()
    other = Neurald(tmp_path / "other")
    other.ok("learn", "--spam", mail())
    other.fails(78, "model", "import", path, words="another key")
    other.fails(78, "model", "import", path, "--with-key")
    assert generations(other) == []


def test_without_the_key_no_text_features_leave(trained, tmp_path, mail):
    path = tmp_path / "model.nd"
    result = trained.ok("model", "export", path)
    assert "no text features" in result.err
    assert not (tmp_path / "model.nd.key").exists()
    assert path.stat().st_size < 100000
    (tmp_path / "other").mkdir()
    other = Neurald(tmp_path / "other")
    other.ok("model", "import", path)
    told = other.ok("explain", "--json", "--limit", "1000",
                    mail("spam", 900)).json
    assert {reason["family"] for reason in told["reasons"]} == {"metatokens"}
    assert other.ok("model", "show", "--json").json["has_key"] is False


def test_an_export_replaces_no_file(trained, tmp_path):
    path = tmp_path / "model.nd"
    path.write_bytes(b"mine")
    for arguments in ([], ["--with-key"]):
        trained.fails(73, "model", "export", path, *arguments,
                      words="there already")
        assert path.read_bytes() == b"mine"
    assert [p.name for p in tmp_path.glob("model*")] == ["model.nd"]
    path.rename(tmp_path / "other.nd.key")
    trained.fails(73, "model", "export", tmp_path / "other.nd", "--with-key",
                  words="other.nd.key")
    assert not (tmp_path / "other.nd").exists()


@pytest.fixture
def exported(trained, tmp_path):
    """A small model file without text features."""
    path = tmp_path / "small.nd"
    trained.ok("model", "export", path)
    return path


def test_a_damaged_file_is_never_imported(trained, exported, tmp_path):
    before = generations(trained)
    good = exported.read_bytes()
    chance = random.Random(5)
    places = [*range(0, 64), len(good) - 1,
              *chance.sample(range(64, len(good)), 60)]
    bad = tmp_path / "bad.nd"
    for place in places:
        data = bytearray(good)
        data[place] ^= 1 << chance.randrange(8)
        bad.write_bytes(data)
        result = trained.run("model", "import", bad)
        assert 64 <= result.status <= 78, (place, result.status)
        assert str(bad) in result.err, (place, result.err)
    assert generations(trained) == before


def test_a_file_that_is_no_model_is_never_imported(trained, exported,
                                                   tmp_path):
    good = exported.read_bytes()
    bad = tmp_path / "bad.nd"
    for data in (b"", b"x", good[:-1], good[:100], good + b"x",
                 b"\0" * 100000):
        bad.write_bytes(data)
        trained.fails(65, "model", "import", bad, words="bad.nd")
    trained.fails(66, "model", "import", "/nonexistent/x")
    assert trained.run("model", "import", tmp_path).status in (65, 66)


def test_models_over_keep_models_go(trained, configured):
    path = configured("rule default { keep_models = 2 }\n")
    trained.ok("model", "export", "a.nd", "--with-key")
    for _ in range(4):
        trained.ok("model", "import", "a.nd", "--config", path)
    assert len(generations(trained)) <= 3
