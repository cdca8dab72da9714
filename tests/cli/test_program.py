"""The program's end: whatever Python does at the end of a process, but for taking itself apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: Says so when the interpreter is taken apart.
TAKEN_APART = """
class Last:
    def __del__(self, write=__import__("os").write):
        write(2, b"taken apart")
last = Last()
"""


def _run(before: str, *arguments: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """The program with this command line, in a process that has done `before`."""
    code = f"import sys\n{before}\nfrom ndfd.cli.program import program\nprogram()\n"
    command = [sys.executable, *options, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_what_has_not_left_its_buffers_is_written() -> None:
    ran = _run(
        "sys.stdout.write('held back\\n')\nsys.stderr = open(2, 'w', buffering=4096); sys.stderr.write('as well')",
        "--version",
    )
    assert ran.stdout.startswith("held back\nndfd ")
    assert ran.stderr == "as well"


def test_what_was_to_be_done_at_the_end_is_done(tmp_path: Path) -> None:
    file = tmp_path / "log"
    before = f"""
import atexit, logging.handlers
kept = logging.handlers.MemoryHandler(100, target=logging.FileHandler({str(file)!r}))
logging.getLogger().addHandler(kept)
logging.getLogger().warning("the last line")
atexit.register(print, "at exit")
"""
    ran = _run(before, "--version")
    assert ran.stdout.endswith("\nat exit\n")
    assert file.read_text() == "the last line\n"


def test_threads_come_to_their_end_first() -> None:
    before = """
import concurrent.futures, threading, time
pool = concurrent.futures.ThreadPoolExecutor(1)
pool.submit(lambda: (threading.Event().wait(0.2), print("of a pool that nobody has shut down")))
threading.Thread(target=lambda: (threading.main_thread().join(), print("of a thread"))).start()
"""
    ran = _run(before, "--version")
    assert ran.returncode == 0
    assert {"of a pool that nobody has shut down", "of a thread"} <= set(ran.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "status"), [(("--version",), 0), (("nothing",), 64), (("jobs", "list", "--socket", "/no"), 69)]
)
def test_the_exit_status_is_that_of_the_command(arguments: tuple[str, ...], status: int) -> None:
    assert _run("", *arguments).returncode == status


def test_the_interpreter_is_not_taken_apart() -> None:
    assert _run(TAKEN_APART, "--version").stderr == ""


@pytest.mark.parametrize("options", [("-X", "dev"), ("-i",)])
def test_who_looks_into_the_process_sees_it_taken_apart(options: tuple[str, ...]) -> None:
    assert "taken apart" in _run(TAKEN_APART, "--version", options=options).stderr


@pytest.mark.parametrize("before", ["sys.settrace(lambda *of: None)", "sys.setprofile(lambda *of: None)"])
def test_so_does_whatever_traces_or_profiles_it(before: str) -> None:
    assert "taken apart" in _run(f"{TAKEN_APART}\n{before}", "--version").stderr


def test_a_profile_of_the_program_is_told() -> None:
    command = [sys.executable, "-m", "cProfile", "-m", "ndfd", "--version"]
    assert "function calls" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_cannot_be_written_at_the_end_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    code = "import atexit; atexit.register(print, 'late')\nfrom ndfd.cli.program import program\nprogram()"
    command = [sys.executable, "-c", code, "convert", "--no-such-option"]
    with Path("/dev/full").open("w") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 120
    assert "Traceback" not in ran.stderr
