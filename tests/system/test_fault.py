# SPDX-License-Identifier: Apache-2.0
"""The short form of the fault test (tests/fault/run.py): a fleet on real Redis
servers and Sentinels that break while a put, a renewal or a publish is between
request and answer. `make soak` runs the long form."""
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = pathlib.Path(os.environ.get("NEURALD", ROOT / "build/neurald"))
WORKER = PROGRAM.parent / "tests/fault/fault_worker"
SEED = 5  # the same choices each time; make soak draws others


@pytest.mark.skipif(shutil.which("redis-sentinel") is None,
                    reason="there is no redis-sentinel")
@pytest.mark.parametrize("mode", ["reservoir", "balanced"])
@pytest.mark.parametrize("setup", ["single", "sentinel"])
def test_the_accounts_add_up_whatever_breaks(setup, mode):
    done = subprocess.run(
        [sys.executable, "-B", ROOT / "tests/fault/run.py", "--seed",
         str(SEED), "--setup", setup, "--mode", mode],
        env={**os.environ, "FAULT_WORKER": str(WORKER)}, timeout=400,
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all accounts add up" in done.stdout
