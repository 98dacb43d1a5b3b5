# SPDX-License-Identifier: Apache-2.0
"""The frame around the commands: help, options, errors, exit statuses."""
import os
import pathlib
import re
import subprocess

import pytest

from conftest import PROGRAM, ROOT, make_mail

COMMANDS = ["learn", "forget", "relabel", "train", "score", "explain", "eval",
            "model", "status", "store", "doctor", "config", "rspamd", "bench",
            "version"]


def test_help_names_every_command(neurald):
    text = neurald.ok("--help").text
    for command in COMMANDS:
        assert re.search(rf"^  {command} ", text, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(neurald, command):
    text = neurald.ok(command, "--help").text
    assert text.startswith(f"usage: neurald {command}")
    assert "--config FILE" in text
    assert max(map(len, text.splitlines())) <= 80
    assert neurald.ok("help", command).text == text
    assert neurald.ok("-h", command).text == text


def test_help_needs_neither_store_nor_configuration(neurald):
    neurald.ok("learn", "--help", "--config", "/nonexistent")
    assert list(neurald.home.iterdir()) == []


def test_version_names_the_kernel_in_use(neurald):
    versions = neurald.ok("version", "--json").json
    assert versions["kernel"] in ("scalar", "avx2", "avx512", "neon")
    assert versions["neurald"] in neurald.ok("--version").text
    neurald.environment["NEURALD_KERNEL"] = "scalar"
    assert neurald.ok("version", "--json").json["kernel"] == "scalar"


def test_scoring_loads_no_library_of_the_daemon_or_its_client():
    """They and what they need take longer to load than a model."""
    loaded = subprocess.run(["ldd", PROGRAM], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    assert "libgmime" in loaded
    for library in ("libcurl", "libmicrohttpd", "libgnutls", "libldap"):
        assert library not in loaded


def test_without_a_command_the_usage_is_told(neurald):
    result = neurald.fails(64, words="a command is missing")
    assert "usage: neurald" in result.err
    assert result.out == b""


@pytest.mark.parametrize("arguments, words", [
    (["lern"], "lern"),
    (["help", "lern"], "lern"),
    (["learn", "--spma", "x"], "--spma"),
    (["learn"], "--spam PATH"),
    (["learn", "--spam", "x", "--time", "later"], "later"),
    (["learn", "--spam", "x", "--source", "me"], "me"),
    (["--store"], "--store"),
    (["score", "--json", "--json=1"], "--json"),
    (["forget"], "what to forget"),
    (["forget", "x", "--source", "api"], "what to forget"),
    (["forget", "--since", "soon"], "soon"),
    (["forget", "--identity", "abc"], "abc"),
    (["relabel", "x"], "--to"),
    (["train", "nosuchrule"], "nosuchrule"),
    (["train", "a", "b"], "b"),
    (["status", "--rule", "nosuchrule"], "nosuchrule"),
    (["status", "word"], "word"),
    (["model"], "list"),
    (["model", "paint"], "list"),
    (["model", "pin", "first"], "first"),
    (["model", "export"], "FILE"),
    (["eval", "--spam", "x"], "--ham"),
    (["eval", "--spam", "x", "--ham", "x", "--split", "0.3"], "0.3"),
    (["eval", "--spam", "x", "--ham", "x", "--families", "letters"],
     "letters"),
    (["eval", "--index", "x", "--spam", "x"], "--index"),
    (["eval", "--spam", "x", "--ham", "x", "--train-first", "5"], "--index"),
    (["eval", "--train-spam", "x", "--spam", "x"], "--train-ham"),
    (["rspamd"], "eval"),
    (["rspamd", "paint"], "eval"),
    (["rspamd", "eval", "--vectors", "x"], "--model"),
    (["rspamd", "train", "--vectors", "x"], "--out"),
    (["bench"], "--svmlight"),
    (["bench", "--svmlight", "x", "--epochs", "0"], "--epochs"),
    (["score", "--headers", "a", "b"], "one message"),
    (["explain", "--limit", "none"], "--limit"),
])
def test_wrong_usage_is_64_and_named(neurald, arguments, words):
    result = neurald.fails(64, *arguments, words=words)
    assert result.out == b""
    assert list(neurald.home.iterdir()) == []


def test_global_options_stand_before_and_after(neurald, mail, tmp_path):
    store = tmp_path / "own.db"
    neurald.ok("--store", store, "--json", "learn", "--spam", mail("spam"))
    neurald.ok("learn", "--ham", mail("ham"), f"--store=sqlite:{store}",
               "--json")
    status = neurald.ok("status", "--store", store, "--json").json
    assert (status["spam"], status["ham"]) == (1, 1)
    assert not neurald.store.exists()


def test_quiet_leaves_errors(neurald, mail):
    assert neurald.ok("learn", "--quiet", "--spam", mail()).err == ""
    neurald.fails(66, "score", "/nonexistent", "--quiet",
                  words="/nonexistent")


def test_progress_is_plain_without_a_terminal(neurald, corpus):
    err = neurald.ok("learn", "--spam", corpus / "spam").err
    assert "learning spam" in err
    assert "\r" not in err and "\033" not in err


def test_progress_is_a_bar_on_a_terminal(neurald, corpus):
    ours, theirs = os.openpty()
    process = neurald.start("learn", "--spam", corpus / "spam",
                            stderr=theirs, stdout=subprocess.DEVNULL)
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:
        pass  # the other side is closed
    os.close(ours)
    assert process.wait(60) == 0
    assert b"\r" in seen and b"[" in seen


def test_a_full_standard_output_is_told(neurald):
    with open("/dev/full", "wb") as full:
        neurald.fails(75, "version", "--json", stdout=full,
                      words="standard output")
        neurald.fails(75, "config", "--example", stdout=full,
                      words="standard output")
        neurald.fails(75, "train", "--help", stdout=full,
                      words="standard output")


@pytest.mark.parametrize("arguments, file", [
    (["config", "--reference"], "docs/configuration.md"),
    (["config", "--example"], "docs/neurald.conf.example"),
    (["config", "--manual"], "docs/man/neurald.conf.5.scd"),
    (["help", "--manual"], "docs/man/neurald.1.scd"),
])
def test_the_documentation_is_what_the_program_says(neurald, arguments, file):
    written = pathlib.Path(ROOT, file).read_text()
    assert written == neurald.ok(*arguments).text, \
        f"write it anew: neurald {' '.join(arguments)} > {file}"


def test_the_reference_of_the_api_is_what_the_program_says(neurald):
    written = pathlib.Path(ROOT, "docs/api.md").read_text()
    printed = neurald.ok("serve", "--reference").text
    assert written.endswith("## Reference\n\n" + printed), \
        "replace the end of docs/api.md by what serve --reference prints"


@pytest.mark.parametrize("name", ["neurald.1", "neurald.conf.5"])
def test_manual_pages_are_good_scdoc(name):
    page = pathlib.Path(ROOT, f"docs/man/{name}.scd").read_bytes()
    done = subprocess.run(["scdoc"], input=page, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [
    "learn --spam /nonexistent", "learn --spam empty", "learn --spam -",
    "learn --spam mail.eml --ham /nonexistent", "learn --spam mail.eml nothing",
    "learn --spam mail.eml --scan /nonexistent", "forget mail.eml",
    "forget --source autolearn", "relabel mail.eml --label spam", "train",
    "score mail.eml", "explain mail.eml", "status", "doctor", "doctor --gc",
    "model list", "model import /nonexistent", "model import mail.eml",
    "model import mail.eml --with-key", "model export file", "model pin",
    "store copy sqlite:nothing.db sqlite:other.db",
    "eval --spam /nonexistent --ham mail.eml", "rspamd sync"])
def test_what_cannot_be_done_leaves_nothing_behind(neurald, words):
    (neurald.home / "empty").mkdir()
    (neurald.home / "mail.eml").write_bytes(make_mail("spam", 1))
    result = neurald.run(*words.split())
    assert result.status != 0
    assert "neurald: " in result.err
    assert sorted(path.name for path in neurald.home.rglob("*")) == \
        ["empty", "mail.eml"]


def test_a_missing_path_stops_learning_before_it_begins(trained, mail):
    before = trained.ok("status", "--json").json
    trained.fails(66, "learn", "--spam", mail("spam", 2000), "--ham",
                  "/nonexistent", words="/nonexistent")
    assert trained.ok("status", "--json").json["accounts"] == \
        before["accounts"]


def test_every_member_of_json_is_in_the_help(trained, corpus):
    message = corpus / "spam/spam-0001.eml"
    for words in (["learn", "--spam", message], ["train"], ["status"],
                  ["score", message], ["explain", message],
                  ["relabel", message, "--to", "ham"], ["forget", message],
                  ["model", "list"], ["model", "show"], ["model", "pin"],
                  ["doctor"], ["config"], ["version"],
                  ["store", "copy", f"sqlite:{trained.store}",
                   f"sqlite:{trained.home}/copy.db"],
                  ["eval", "--spam", corpus / "spam", "--ham",
                   corpus / "ham"]):
        text = trained.ok(words[0], "--help").text
        told = trained.ok(*words, "--json").lines[0]
        unsaid = [name for name in told if not re.search(rf"\b{name}\b", text)]
        assert not unsaid, (words, unsaid)


def test_every_exit_status_is_in_the_manual(neurald):
    """Those of the one table of statuses, and what score --exit-code adds."""
    table = pathlib.Path(ROOT, "src/base/status.h").read_text()
    statuses = set(re.findall(r"X\([A-Z_]+, (\d+), ", table)) | {"2"}
    listed = set(re.findall(r"\*(\d+)\*", re.search(
        r"# EXIT STATUS\n(.*?)\n# ", neurald.ok("help", "--manual").text,
        re.S).group(1)))
    assert listed == statuses


def test_the_tables_of_families_are_the_programs():
    rows = re.findall(r'X\((\w+), (\d+), "(\w+)", (\d+), (\w+), (\d+), (\d+),',
                      pathlib.Path(ROOT, "src/features/family_table.h")
                      .read_text())
    assert len(rows) >= 9
    layouts = pathlib.Path(ROOT, "docs/formats/layout.md").read_text()
    features = pathlib.Path(ROOT, "docs/features.md").read_text()
    for _, number, name, layout, kind, bits, most in rows:
        width = "named by the registry" if kind == "NAMED" else bits
        assert f"| {number} | {name}/{layout} | {width} |" in layouts
        if kind == "TEXT":
            assert f"| {number} | `{name}` | text | 2^{bits} | " \
                f"{int(most):,} |" in features
