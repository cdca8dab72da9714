"""The connection to the database."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from ndfd.store.database import connect, connect_reader

#: Whether another program finds the shared lock that SQLite holds on a database in use (os_unix.c, SHARED_FIRST): the
#: last one to close it, as it thinks, removes the log.
_IS_FREE = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
    except OSError:
        sys.exit(0)
sys.exit("it is free")
"""


def test_a_further_connection_ends_no_lock_of_those_that_there_are(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(connect(path)) as writer:
        writer.execute("CREATE TABLE a (b)")
        with closing(connect_reader(path)) as reader:
            reader.execute("SELECT * FROM a").fetchall()
            connect(path).close()
            tried = subprocess.run([sys.executable, "-c", _IS_FREE, str(path)], check=False, capture_output=True)
            assert tried.returncode == 0, tried.stderr
