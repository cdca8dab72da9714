"""Results as the pool gives them."""

from __future__ import annotations

import os
from typing import NamedTuple

from ndfd import platform
from ndfd.model.conversion import ConversionReport, ConvertOptions
from ndfd.model.sandbox import Sandbox


class Result(NamedTuple):
    """What `ndfd.server.methods.Converted` asks for."""

    report: ConversionReport
    fd: int


#: What confines the workers behind these doors: all but one measure.
SANDBOX = Sandbox(
    no_new_privs=True,
    dumpable=False,
    seccomp=2,
    calls=22,
    landlock_abi=7,
    denied=("open: EACCES", "socket: killed"),
    missing=("mdwe",),
)


def sealed_result(content: bytes, options: ConvertOptions, pages: int = 1) -> Result:
    """A result as the pool gives it."""
    fd = platform.memfd("result")
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
    platform.seal(fd)
    return Result(
        ConversionReport(
            pages, 1, 0, options.format.media_type, len(content), 0.25, 4096, sandbox=SANDBOX.confinement(verified=True)
        ),
        fd,
    )
