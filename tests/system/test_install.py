# SPDX-License-Identifier: Apache-2.0
"""What `make install` puts where, and that the guide to a service works as it
is written."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, make_mail
from machine import Machine

BUILD = pathlib.Path(
    os.environ.get("NEURALD", ROOT / "build/neurald")).resolve().parent
# The machine's shells look there too, as root's on a real one.
SHELL = ("env", "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "sh",
         "-euxc")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if not (BUILD / "build.ninja").exists():
        pytest.skip("the program does not lie in the folder of its build")
    folder = tmp_path_factory.mktemp("installed")
    for command in (["ninja", "-C", BUILD, "installed"],
                    ["meson", "install", "-C", BUILD, "--no-rebuild"]):
        subprocess.run(command, env={**os.environ, "DESTDIR": str(folder)},
                       stdout=subprocess.PIPE, check=True)
    return folder


def test_the_unit_starts_what_was_installed(installed):
    unit, = installed.rglob("neurald.service")
    programs = re.findall(r"^Exec\w+=(\S*/neurald) ", unit.read_text(), re.M)
    assert len(programs) == 2
    for program in programs:
        version = subprocess.run([str(installed) + program, "--version"],
                                 stdout=subprocess.PIPE, check=True)
        assert version.stdout.startswith(b"neurald ")


def test_the_guide_to_a_service_works(installed):
    guide = (ROOT / "docs/service.md").read_text()
    scripts = re.findall(r"^```sh\n(.*?)^```", guide, re.M | re.S)
    assert len(scripts) == 2
    machine = Machine()
    reason = machine.start()
    try:
        if reason is not None:
            pytest.skip(reason)
        for folder in installed.iterdir():
            shutil.copytree(folder, machine.root / folder.name,
                            dirs_exist_ok=True)
        for label in ("spam", "ham"):
            folder = machine.root / "srv/mail" / label
            folder.mkdir(parents=True)
            for number in range(40):
                (folder / str(number)).write_bytes(make_mail(label, number))
        for script in scripts:
            said = machine.run(*SHELL, script)
        assert "generation 1" in said
        said = machine.run(*SHELL, "runuser -u neurald -- neurald --config "
                           "/etc/neurald/neurald.conf doctor")
        assert "fail" not in said
    finally:
        machine.stop()
