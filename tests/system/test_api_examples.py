# SPDX-License-Identifier: Apache-2.0
"""Every example of docs/api.md is run, in order, against one daemon.

What comes back must have the members that the page shows, of the same types,
and the same words where words are what matters.
"""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, make_mail
from daemon import ADMIN, LEARN, Daemon

ADDRESS = "http://127.0.0.1:11380"
# Members whose values are the same in each run.
SAME = {"outcome", "was", "rule", "settings", "dry_run",
        "forgotten", "relabelled", "unchanged", "refused", "absent", "type",
        "title", "status", "pinned", "id", "store"}


def examples():
    """Pairs of a command and what it prints."""
    page = (ROOT / "docs/api.md").read_text()
    for block in re.findall(r"```console\n(.*?)```", page, re.S):
        for command in re.split(r"^\$ ", block, flags=re.M)[1:]:
            line, _, output = command.partition("\n")
            if line.startswith("curl "):
                yield line, output.strip()


def compare(shown, answered, place):
    assert type(shown) is type(answered) or \
        {type(shown), type(answered)} <= {int, float, type(None)}, place
    if isinstance(shown, dict):
        assert list(shown) == list(answered), place
        for name in shown:
            compare(shown[name], answered[name], f"{place}.{name}")
            if name in SAME and not isinstance(shown[name], (dict, list)) \
                    and not (place.endswith("job") and name == "id"):
                assert shown[name] == answered[name], f"{place}.{name}"
    elif isinstance(shown, list):
        assert answered or not shown, place
        for number, pair in enumerate(zip(shown, answered)):
            compare(*pair, f"{place}[{number}]")


def test_every_example_of_the_page_is_true(trained, tmp_path):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    (tmp_path / "message.eml").write_bytes(make_mail("spam", 1000))
    seen = 0
    with Daemon(trained, tmp_path) as daemon:
        daemon.wait_for_model()
        for command, output in examples():
            command = command.replace(ADDRESS, f"http://127.0.0.1:{daemon.port}")
            if "/v1/jobs/" in command:
                daemon.wait_until(lambda: daemon.get("/v1/jobs/1").json[
                    "state"] == "ended", 120)
            done = subprocess.run(
                ["sh", "-c", command], cwd=tmp_path, capture_output=True,
                env={**os.environ, "LEARN": LEARN, "ADMIN": ADMIN}, text=True,
                check=True)
            answer = json.loads(done.stdout)
            if "state" in answer and answer["state"] != "ended":
                answer["state"] = "running"  # or waiting
            compare(json.loads(output), answer, command)
            seen += 1
    assert seen >= 14
