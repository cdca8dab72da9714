"""The daemon's program, all of it, with forged workers (tests/worker/forged_zygote.py)."""

from __future__ import annotations

import dataclasses
import sys

from ndfd.cli import main
from ndfd.platform import Channel
from ndfd.supervisor import zygote_process
from ndfd.supervisor.zygote_process import ZygoteOptions
from tests.supervisor.forged import COMMAND

_command = zygote_process._command


def _forged(options: ZygoteOptions, channel: Channel) -> list[str]:
    return _command(dataclasses.replace(options, command=COMMAND), channel)


if __name__ == "__main__":
    zygote_process._command = _forged
    sys.exit(main(sys.argv[1:]))
