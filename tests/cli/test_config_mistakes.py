"""`ndfd config check` of files with every kind of mistake: each is named, where it stands, with what would do."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Ndfd

#: A line of the file; the key, the column and the message of its mistake, or nothing for a line that is sound.
LINES: tuple[tuple[str, str | None], ...] = (
    ('level = "debug"', "1: level: there is no such key outside of a group; did you mean logging.level?"),
    ("[swarn]", "2: swarn: there is no such group; did you mean [swarm]?"),
    ("workers = 2", None),
    ("[swarm]", None),
    ("wrokers = 2", "1: swarm.wrokers: there is no such key; did you mean swarm.workers?"),
    ('workers = "many"', "11: swarm.workers: 'many' cannot be used: write \"auto\" or a whole number from 1 to 1024"),
    ('worker_memory = "4G"', "17: swarm.worker_memory: '4G' is not a size: write a number and B, kB, MB, GB, KiB, MiB or GiB, as in 4GB"),
    ("jobs_per_worker = true", "19: swarm.jobs_per_worker: true cannot be used: write a whole number from 1 to 2147483647"),
    ("max_queue = -1", "13: swarm.max_queue: -1 is below the minimum, 0"),
    ('cpus = "3-1"', "8: swarm.cpus: '3-1' is not a list of CPUs: write numbers and ranges, as in 0-3,8"),
    ("max_per_user = 5", None),
    ("max_per_user = 6", "1: swarm.max_per_user: is set twice, first in line 11"),
    ("[runtime]", None),
    ('max_memory = "150%"', "14: runtime.max_memory: '150%' is not a share between 0% and 100%"),
    ("[network]", None),
    ("socket_mode = 660", "15: network.socket_mode: 660 is not a file mode: write it as a string in octal, as in \"0660\""),
    ('socket_dir = "run/ndfd"', "14: network.socket_dir: 'run/ndfd' is not an absolute path: begin it with /"),
    ('bind_address = "localhost:80"', "16: network.bind_address: 'localhost:80' is not an address: write it as in \"127.0.0.1:8300\" or \"[::1]:8300\""),
    ('stall_timeout = "soon"', "17: network.stall_timeout: 'soon' is not a duration: write numbers with ms, s, m, h or d, as in 2m30s"),
    ("max_connections = ", "19: there is no value after ="),
    ("[security]", None),
    ('token = "hunter2"', "9: security.token: the secret is shorter than 16 characters"),
    ('admins = "ann', "10: the string is not closed"),
    ("[document]", None),
    ('max_deadline = "1m"', "16: document.max_deadline: default_deadline (300 s) is above max_deadline (60 s)"),
    ("max_size = 1 GB", "14: more follows after the value, which must end its line"),
    ("[logging]", None),
    ("level = debug", "9: not a value: text goes in quotes"),
    ('format = "xml"', "10: logging.format: 'xml' is none of auto, console, json"),
    ("output.file = 1", "1: logging.output: a table where \"stderr\" or \"journal\" or an absolute path is needed"),
    ("[swarm]", "2: swarm: is declared twice, first in line 4"),
    ("[[metrics]]", "3: metrics: there is one such group: write [metrics]"),
    ("enabled = true", None),
    ("[development", "13: the table header is not closed with ]"),
    ("hot_reload = 2020-13-45", "14: not a number, date or time as TOML writes them"),
)  # fmt: skip


def test_every_mistake_of_a_file_is_named_with_its_place(ndfd: Ndfd, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("".join(f"{line}\n" for line, _ in LINES))
    file.chmod(0o600)
    expected = [f"{file}:{number}:{said}" for number, (_, said) in enumerate(LINES, 1) if said is not None]
    assert len(expected) >= 20
    ran = ndfd("config", "check", file)
    assert ran.status == 78
    assert sorted(ran.stdout.splitlines()) == sorted(expected)
    assert "hunter2" not in ran.stdout + ran.stderr


def test_the_same_for_programs(ndfd: Ndfd, tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("".join(f"{line}\n" for line, _ in LINES))
    ran = ndfd("config", "check", "--json", file)
    assert ran.status == 78
    mistakes = json.loads(ran.stdout)["mistakes"]
    assert len(mistakes) == sum(said is not None for _, said in LINES)
    assert "hunter2" not in ran.stdout
