"""What a daemon that starts does not wait for."""

from __future__ import annotations

import subprocess
import sys


def test_a_daemon_does_not_import_what_its_log_does_not_use() -> None:
    code = "import sys, ndfd.daemon; sys.exit('rich' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_rich_can_still_be_imported_beside_a_daemon() -> None:
    subprocess.run([sys.executable, "-c", "import ndfd.daemon, rich.table"], check=True)
