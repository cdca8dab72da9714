"""The daemon's tests of its API, run on the daemon that systemd keeps, under the unit as it is shipped."""

from __future__ import annotations

import re

import pytest

from tests.service_units.conftest import CHECKOUT
from tests.service_units.machine import ONE_WORKER, Machine
from tests.systemd_bed import PYTHON

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

_TESTS = (
    "tests/daemon/test_whole_api.py tests/daemon/test_daemon.py tests/daemon/test_jobs.py tests/daemon/test_backup.py"
)


def test_the_tests_of_the_api_pass_under_the_unit(machine: Machine) -> None:
    machine.configure(ONE_WORKER)
    command = (
        f"cd {CHECKOUT} && NDFD_TEST_UNIT=ndfd.service {PYTHON} -m pytest -q -rs -p no:cacheprovider {_TESTS} 2>&1"
    )
    status, said = machine.bed.run("sh", "-c", command, limit_s=500)
    assert status == 0, f"{said}\n{machine.journal()}"
    passed = re.search(r"(\d+) passed", said)
    # The rest need a daemon of their own.
    assert passed is not None
    assert int(passed[1]) >= 6, said
