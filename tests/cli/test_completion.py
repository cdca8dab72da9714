"""`ndfd completion`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.conftest import Ndfd


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_one_that_the_shell_can_read(ndfd: Ndfd, shell: str) -> None:
    ran = ndfd("completion", shell)
    assert ran.status == 0
    assert "_NDFD_COMPLETE" in ran.stdout
    if program := shutil.which(shell):
        assert subprocess.run([program, "-n"], input=ran.stdout.encode(), check=False).returncode == 0


def test_what_the_script_asks_for_is_answered() -> None:
    asked = {"_NDFD_COMPLETE": "bash_complete", "COMP_WORDS": "ndfd convert --for", "COMP_CWORD": "2"}
    ran = subprocess.run(
        [sys.executable, "-c", "from ndfd.cli import main; main()"],
        env={**os.environ, **asked},
        capture_output=True,
        check=False,
    )
    assert ran.stdout.decode().split() == ["plain,--format"]


def test_an_unknown_shell_is_wrong_usage(ndfd: Ndfd) -> None:
    assert ndfd("completion", "csh").status == 64
