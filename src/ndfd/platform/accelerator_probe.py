"""The program that asks a vendor's library: `python -m ndfd.platform.accelerator_probe SECONDS BACKEND`.

Started by `accelerators` only, which ends it when it takes too long. A vendor's library is somebody else's code, loaded
into this process: it may print, hang, or end the process, and none of that reaches who asked. The answer is a line of
JSON on the standard output as it was at the start.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence

import msgspec

from ndfd.model.hardware import Accelerators, Backend, BackendState
from ndfd.platform import accelerator_cuda, accelerator_metal, accelerator_opencl, accelerator_rocm
from ndfd.platform.machine import machine_parts
from ndfd.platform.vendor_library import Found, RefusedError

#: What each backend's library is asked; `RefusedError` with its reason.
_ASK: dict[Backend, Callable[[ctypes.CDLL], Found]] = {
    Backend.CUDA: accelerator_cuda.ask,
    Backend.ROCM: accelerator_rocm.ask,
    Backend.METAL: accelerator_metal.ask,
    Backend.OPENCL: accelerator_opencl.ask,
}


def main(arguments: Sequence[str]) -> int:
    """0, always: what goes wrong is in the answer."""
    seconds, backend = arguments
    answers = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(nothing, fd)
    end_by_yourself(int(seconds))
    os.write(answers, msgspec.json.encode(ask(Backend(backend))) + b"\n")
    return 0


def end_by_yourself(limit_s: int) -> None:
    """Who asks may have been killed: nobody else would end this process then. Leaves no core file behind."""
    # Not on Windows, which has neither.
    try:
        import resource
        import signal
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if hasattr(signal, "alarm"):
        signal.alarm(limit_s)


def ask(backend: Backend) -> Accelerators:
    """What the first library that can be loaded says."""
    for name in machine_parts.libraries.get(backend, ()):
        try:
            library = ctypes.CDLL(name)
        except OSError as error:
            if absent(name, error):
                continue
            return Accelerators(backend, BackendState.FAILED, name, problem=f"it cannot be loaded: {error}")
        try:
            found = _ASK[backend](library)
        except RefusedError as refused:
            return Accelerators(backend, BackendState.FAILED, name, refused.driver, problem=str(refused))
        state = BackendState.READY if found.devices else BackendState.EMPTY
        return Accelerators(backend, state, name, found.driver, found.devices)
    return Accelerators(backend, BackendState.ABSENT)


def absent(name: str, error: OSError) -> bool:
    """Whether there is no such library, and not one that is broken or lacks another."""
    said = str(error)
    # glibc and musl name what they looked for; macOS tells every place it tried; Windows has a number (126).
    return (
        said.startswith(
            (f"{name}: cannot open shared object file: No such file", f"Error loading shared library {name}:")
        )
        or "image not found" in said
        or "no such file" in said
        or getattr(error, "winerror", None) == 126
        or isinstance(error, FileNotFoundError)
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
