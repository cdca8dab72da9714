"""Shows that accepted means never lost, and never done twice: kills and power cuts while users hand in jobs.

By default a daemon runs, users submit documents to it (with idempotency keys and without, some again, some cancelled,
retried or forgotten later), and daemon, zygote and workers are killed with SIGKILL, at random moments and at every
durable step between accept and publish. With --power the state folder lies on a file system that loses its power
instead (root only): at most of the cuts a process works with the store alone, which is fast, at the others a whole
daemon. At the end, and where there is no daemon after most lives, what the store has is held against the ledger that
the users kept, and every file against its hash.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.crash import power, recovery
from tests.crash.daemon_lives import DaemonLives
from tests.crash.disk import KINDS, LosableDisk, why_not

#: What a recovery may take, with this many jobs, on a machine that is busy otherwise.
RECOVERY_JOBS, RECOVERY_MAX_S = 100_000, 5.0
#: Of the cuts, those with a whole daemon.
_DAEMON_SHARE = 0.2

Say = Callable[[str], None]


def main() -> int:
    """The program; 1 when anything was found that must not be."""
    parser = _parser()
    arguments = parser.parse_args()
    # What is mounted is unmounted, whoever ends this.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if arguments.power is None:
        findings = {"store": _killed_stores(arguments, say)} if arguments.store else {"daemon": _killed(arguments, say)}
    else:
        kinds = KINDS if arguments.power == "all" else (arguments.power,)
        for kind in kinds:
            if (reason := why_not(kind)) is not None:
                parser.exit(69, f"scripts/crash-test: no power can be cut on {kind}: {reason}\n")
        findings = _power(kinds, arguments, say)
    faults = [f"{part}: {fault}" for part, found in findings.items() for fault in found.get("faults", ())]
    print(json.dumps(findings, indent=1) if arguments.json else "\n".join(_lines(findings)))
    if not arguments.json:
        print("\n".join([f"{len(faults)} faults", *(f"  {fault[:2000]}" for fault in faults[:40])]))
    return 1 if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/crash-test", description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, metavar="N", help="processes killed (default: %(default)s)")
    parser.add_argument("--store", action="store_true", help="kill a process that works with the store alone")
    parser.add_argument(
        "--power", nargs="?", const="all", choices=(*KINDS, "all"), help="cut the power of such a file system; of each"
    )
    parser.add_argument("--cuts", type=int, default=200, metavar="N", help="power cuts (default: %(default)s)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=RECOVERY_JOBS,
        metavar="N",
        help="with --power: jobs of a store whose opening is timed at the end; 0 for none (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other moments and other works")
    parser.add_argument("--json", action="store_true", help="the findings as JSON on stdout")
    return parser


def _killed(arguments: argparse.Namespace, say: Say) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ndfd-crash-") as folder:
        root = _passable(Path(folder))
        return DaemonLives(root, root / "state", None, arguments.seed).run(arguments.kills, say).as_json()


def _killed_stores(arguments: argparse.Namespace, say: Say) -> dict[str, Any]:
    return power.kill_store(arguments.kills, arguments.seed, say).as_json()


def _power(kinds: tuple[str, ...], arguments: argparse.Namespace, say: Say) -> dict[str, Any]:
    with_daemon = round(arguments.cuts * _DAEMON_SHARE)
    found = power.cut_store(kinds, arguments.cuts - with_daemon, arguments.seed, say)
    findings: dict[str, Any] = {f"store on {kind}": each.as_json() for kind, each in found.items()}
    passed = 0
    for index, kind in enumerate(kinds):
        cuts = with_daemon // len(kinds) + (index < with_daemon % len(kinds))
        if cuts:
            say(f"{kind}: {cuts} power cuts of a whole daemon")
            with LosableDisk(kind) as disk, tempfile.TemporaryDirectory(prefix="ndfd-crash-") as folder:
                lives = DaemonLives(_passable(Path(folder)), disk.path / "state", disk, arguments.seed, passed)
                ended = lives.run(cuts, say)
                passed += ended.points.total()
                findings[f"daemon on {kind}"] = ended.as_json()
    for kind in kinds if arguments.jobs else ():
        findings[f"recovery on {kind}"] = _recovery(kind, arguments.jobs, say)
    return findings


def _recovery(kind: str, jobs: int, say: Say) -> dict[str, Any]:
    measured = recovery.measure(kind, jobs, say)
    faults = []
    if measured.open_s > (limit := RECOVERY_MAX_S * max(1.0, jobs / RECOVERY_JOBS)):
        faults.append(f"it took {measured.open_s:.1f} s to open {jobs} jobs, more than {limit:.1f} s")
    return measured.as_json() | {"faults": faults}


def _passable(folder: Path) -> Path:
    """Other users go through it to the socket."""
    folder.chmod(0o711)
    return folder


def _lines(findings: dict[str, Any]) -> list[str]:
    return [
        f"{part}: " + ", ".join(f"{name} {_told(value)}" for name, value in found.items() if name != "faults")
        for part, found in findings.items()
    ]


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name} {_told(each)}" for name, each in value.items()) + ")"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
