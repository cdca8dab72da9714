"""The system calls that workers make, beside those that they may: what is allowed and not needed is to go.

Runs a private daemon with strace on its zygote, has it convert sound, broken and hostile documents in every format, and
counts for each rule of the filter how often it decided. A call that no rule lets through is listed as well: it ended
its worker.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from ndfd.client import Client
from ndfd.client.private import PrivateDaemon
from ndfd.errors import NdfdError
from ndfd.model.conversion import ConvertOptions, OutputFormat
from ndfd.platform.linux_rules import worker_rules
from ndfd.platform.linux_seccomp import ALLOW, Below, Is, Rule
from tests import documents
from tests.bench.selection import samples

_ROOT = Path(__file__).parents[2]

#: Rules that nothing seen on this machine needs, and what does; a rule that is neither seen nor here is to go.
UNSEEN = {
    "mremap": "realloc(3) of a large block: made for a document of 100,000 pages",
    "alarm": "x86_64; where it is missing, setitimer",
    "setitimer": "aarch64, which has no alarm",
    "newfstatat": "the C library before 2.33 asks for a descriptor's size so",
    "fstat": "the C library since 2.33",
    "rt_sigprocmask": "abort(3) of other versions of the C library",
    "getpid": "abort(3) of other versions of the C library",
    "gettid": "abort(3) of other versions of the C library",
    "exit_group": "the end of a worker whose supervisor has closed its channel",
}

_LINE = re.compile(r"(\d+) +(\w+)\((.*)")
_INSTALLED = "seccomp"


def main() -> int:
    """0 when every allowed rule is needed and no call was refused that sound documents make."""
    parser = argparse.ArgumentParser(
        prog="scripts/system-calls", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="convert the documents of this corpus as well")
    parser.add_argument(
        "--deadline", type=float, default=20.0, metavar="SECONDS", help="of each conversion (%(default)g)"
    )
    arguments = parser.parse_args()
    if shutil.which("strace") is None:
        sys.stderr.write("scripts/system-calls: strace is needed; on Debian and Ubuntu: apt install strace\n")
        return 69
    files = list(_documents())
    if arguments.corpus is not None:
        files += [sample.path.read_bytes() for sample in samples(arguments.corpus)]
    made = traced(files, arguments.deadline)
    _print(made)
    return 1 if unneeded(made) else 0


def traced(files: Iterable[bytes], deadline_s: float) -> Counter[Rule | str]:
    """How often each rule decided a call of a confined worker, and each call that none let through by its name."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "calls")
        # So small that the bomb among the documents makes the engine abort.
        with PrivateDaemon(["--set", "swarm.worker_memory=400MB"]) as daemon, _strace(_zygote(daemon.pid), log):
            # Those that there were before strace may be attached in the middle of a call.
            for worker in psutil.Process(_zygote(daemon.pid)).children():
                worker.kill()
            with Client.connect(daemon.socket) as client:
                for data in files:
                    for output in OutputFormat:
                        with (
                            contextlib.suppress(NdfdError),
                            client.convert(data, ConvertOptions(output, deadline_s=deadline_s)),
                        ):
                            pass
        return decided(log.read_text(errors="replace").splitlines())


def decided(lines: Iterable[str]) -> Counter[Rule | str]:
    """What `traced` gives, from strace's lines."""
    made: Counter[Rule | str] = Counter()
    confined: set[str] = set()
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        pid, call, rest = match.groups()
        if pid in confined:
            rules = worker_rules(int(pid))
            # Of a call that is interrupted in the log by another process, the arguments are here.
            at = _deciding(rules, call, _arguments(rest.removesuffix(" <unfinished ...>")))
            # By place in the list: the process id within one of the rules is each worker's own.
            made[call if at is None else worker_rules(0)[at]] += 1
        elif call == _INSTALLED:
            confined.add(pid)
    return made


def unneeded(made: Counter[Rule | str]) -> list[Rule]:
    """Rules that let calls through which were not made, and for which nothing else speaks."""
    return [rule for rule in worker_rules(0) if rule.action == ALLOW and not made[rule] and rule.call not in UNSEEN]


def _documents() -> Iterator[bytes]:
    for path in sorted((_ROOT / "examples").glob("*.pdf")):
        yield path.read_bytes()
    yield documents.numbered_pages(2000)
    for make in (
        documents.encrypted_aes256,
        documents.encrypted_rc4,
        documents.garbage_after_header,
        documents.broken_content,
        documents.truncated,
        documents.type3_without_encoding,
        documents.chinese_not_embedded,
        documents.annotated,
        documents.form,
        documents.many_characters,
        documents.memory_bomb,
        documents.deep_arrays,
    ):
        made = make()
        yield made if isinstance(made, bytes) else made[0]


def _zygote(daemon_pid: int) -> int:
    (zygote,) = (each for each in psutil.Process(daemon_pid).children() if "ndfd.worker.zygote" in each.cmdline())
    return zygote.pid


@contextlib.contextmanager
def _strace(pid: int, log: Path) -> Iterator[None]:
    command = ["strace", "--follow-forks", "--quiet=all", "--const-print-style=raw", "--string-limit=0"]
    with subprocess.Popen([*command, f"--output={log}", f"--attach={pid}"], stdin=subprocess.DEVNULL) as process:
        status = Path(f"/proc/{pid}/status")
        while not re.search(r"TracerPid:\t[1-9]", status.read_text()):
            if process.poll() is not None:
                raise SystemExit(f"scripts/system-calls: strace ended with status {process.returncode}")
            time.sleep(0.01)
        try:
            yield
        finally:
            process.terminate()  # It lets go of them.


def _deciding(rules: tuple[Rule, ...], call: str, arguments: list[int]) -> int | None:
    for at, rule in enumerate(rules):
        if rule.call == call and all(_holds(condition, arguments) for condition in rule.conditions):
            return at
    return None


def _holds(condition: Is | Below, arguments: list[int]) -> bool:
    value = arguments[condition.argument] & 0xFFFFFFFF if condition.argument < len(arguments) else 0
    return value < condition.limit if isinstance(condition, Below) else value & condition.mask == condition.value


def _arguments(text: str) -> list[int]:
    """The numbers among them; what is a string or a structure counts as 0."""
    depth, parts = 0, [""]
    for letter in text:
        depth += (letter in "[{(") - (letter in "]})")
        if depth < 0:
            break
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [_number(part.strip()) for part in parts]


def _number(text: str) -> int:
    try:
        return int(text, 0)
    except ValueError:
        return 0


def _print(made: Counter[Rule | str]) -> None:
    rules = worker_rules(0)
    for title, chosen in (
        ("allowed", [rule for rule in rules if rule.action == ALLOW]),
        ("fails without harm", [rule for rule in rules if rule.action != ALLOW]),
    ):
        sys.stdout.write(f"{title}\n")
        for rule in chosen:
            reason = (
                "" if made[rule] else UNSEEN.get(rule.call, "NOT NEEDED" if rule.action == ALLOW else "not seen here")
            )
            sys.stdout.write(f"  {made[rule]:>9}  {_label(rule):<48} {reason}\n".rstrip() + "\n")
    refused = {call: count for call, count in made.items() if isinstance(call, str)}
    sys.stdout.write(f"refused: {', '.join(f'{call} ({count})' for call, count in refused.items()) or 'none'}\n")


def _label(rule: Rule) -> str:
    said = []
    for condition in rule.conditions:
        if isinstance(condition, Below):
            said.append(f"#{condition.argument} < {condition.limit}")
        elif condition.mask == 0xFFFFFFFF:
            said.append(f"#{condition.argument} = {condition.value:#x}")
        else:
            said.append(f"#{condition.argument} & {condition.mask:#x} = {condition.value:#x}")
    return f"{rule.call}({', '.join(said)})"


if __name__ == "__main__":
    sys.exit(main())
