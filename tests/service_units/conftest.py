"""A machine of its own for each module, with ndfd installed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service_units.machine import EXAMPLES, Machine
from tests.systemd_bed import BED, NO_BED, ROOT, SystemdBed, payload

#: What the tests of the API need there.
CHECKOUT = "/usr/share/ndfd/checkout"
_PACKAGES = (
    "pytest",
    "pytest-timeout",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "hypothesis",
    "sortedcontainers",
)


@pytest.fixture(scope="session")
def tar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is unpacked into the bed."""
    if not BED:
        pytest.skip(NO_BED)
    if os.geteuid() != 0:
        pytest.skip("only root may boot a systemd")
    files: dict[str, Path | str] = {
        EXAMPLES: ROOT / "examples",
        f"{CHECKOUT}/tests": ROOT / "tests",
        f"{CHECKOUT}/examples": ROOT / "examples",
        f"{CHECKOUT}/pyproject.toml": ROOT / "pyproject.toml",
    }
    return payload(tmp_path_factory.mktemp("bed") / "payload.tar", files, packages=_PACKAGES)


@pytest.fixture(scope="module")
def installed(tar: Path, request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Workers need Landlock, which the filter of systemd-nspawn denies to services: hence the backend."""
    name = f"ndfd-units-{request.module.__name__.rpartition('.')[2]}-{os.getpid()}"
    with SystemdBed(BED, name, tar, backend="v1") as bed:
        machine = Machine(bed)
        machine.install()
        yield machine


@pytest.fixture
def machine(installed: Machine) -> Machine:
    """As it was when it was installed."""
    installed.reset()
    return installed
