"""The image of packaging/container, built and run: no root, a root file system that is read-only, process 1.

It takes buildah and podman, root, and a base: a tar file of a Debian or Ubuntu with Python, its headers and a compiler
that NDFD_CONTAINER_BASE names. One is made by

    mmdebstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,python3-dev,python3-venv bookworm base.tar

NDFD_CONTAINER_RUNTIME names another OCI runtime than podman's own: crun wants one kind of cgroups, runc takes any.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CONTAINERFILE = ROOT / "packaging/container/Containerfile"
BASE = os.environ.get("NDFD_CONTAINER_BASE", "")
RUNTIME = os.environ.get("NDFD_CONTAINER_RUNTIME", "")
DOCUMENT = ROOT / "examples/report.pdf"
BUILD_LIMIT_S = 900.0
PATIENCE_S = 120.0
USER = "64080:64080"

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not Path(BASE).is_file(), reason="NDFD_CONTAINER_BASE names no tar file to build upon"),
    pytest.mark.skipif(os.geteuid() != 0, reason="building and running need root here"),
    pytest.mark.skipif(shutil.which("buildah") is None, reason="there is no buildah"),
]


class Images:
    """buildah and podman with a storage of their own."""

    def __init__(self, folder: Path) -> None:
        self._storage = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"), "--storage-driver", "vfs")
        self._runtime = ("--runtime", RUNTIME) if RUNTIME else ()

    def buildah(self, *arguments: str, limit_s: float = PATIENCE_S) -> str:
        """Its standard output; the test fails with what it said, if it fails."""
        return self._run("buildah", *self._storage, *arguments, limit_s=limit_s)

    def podman(self, *arguments: str, check: bool = True) -> str:
        """Likewise."""
        return self._run("podman", *self._storage, *self.podman_options(), *arguments, check=check)

    def podman_options(self) -> tuple[str, ...]:
        """What makes it run where there is no systemd."""
        return ("--cgroup-manager", "cgroupfs", "--events-backend", "file", *self._runtime)

    def _run(self, *command: str, limit_s: float = PATIENCE_S, check: bool = True) -> str:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False
        )
        assert not check or ended.returncode == 0, f"{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
        return ended.stdout


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    folder = tmp_path_factory.mktemp("images")
    images = Images(folder)
    base = images.buildah("from", "scratch").strip()
    images.buildah("add", base, BASE, "/", limit_s=BUILD_LIMIT_S)
    images.buildah("commit", "--rm", base, "localhost/ndfd-base", limit_s=BUILD_LIMIT_S)
    # Where packages come from is the host's business: its pip's configuration, and whom it trusts.
    shared = [path for path in ("/etc/pip.conf", "/etc/ssl/certs", "/etc/resolv.conf") if Path(path).exists()]
    options = [f"--volume={path}:{path}:ro" for path in shared]
    arguments = ("--isolation=chroot", "--format=docker", "--build-arg=BASE=localhost/ndfd-base", *options)
    images.buildah(
        "bud", *arguments, "-f", str(CONTAINERFILE), "-t", "localhost/ndfd", str(ROOT), limit_s=BUILD_LIMIT_S
    )
    yield images
    images.buildah("rmi", "--all", "--force")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def config(images: Images) -> dict[str, Any]:
    inspected = json.loads(images.buildah("inspect", "--type=image", "localhost/ndfd"))
    found: dict[str, Any] = inspected["Docker"]["config"]
    return found


@pytest.fixture(scope="module")
def container(images: Images) -> Iterator[str]:
    """One that serves."""
    if shutil.which("podman") is None:
        pytest.skip("there is no podman")
    # Podman's own limits are above what some hosts allow.
    limits = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=1000:1000")
    confined = ("--read-only", "--tmpfs=/run", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none")
    name = images.podman("run", "--detach", "--no-healthcheck", *limits, *confined, "localhost/ndfd").strip()
    limit = time.monotonic() + PATIENCE_S
    while " is ready: " not in images.podman("logs", name):
        assert time.monotonic() < limit, said(images, name)
        assert images.podman("inspect", "--format={{.State.Running}}", name).strip() == "true", said(images, name)
        time.sleep(0.2)
    yield name
    images.podman("rm", "--force", "--volumes", name)


def said(images: Images, name: str) -> str:
    """The container's log, both streams."""
    command = ["podman", *images._storage, *images.podman_options(), "logs", name]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout


def test_the_image_says_who_it_is_and_how_it_is_asked_and_stopped(config: dict[str, Any]) -> None:
    assert config["User"] == USER
    assert config["Entrypoint"] == ["ndfd", "run", "--service"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "ndfd", "health", "--timeout", "8"]
    assert config["Volumes"] == {"/var/lib/ndfd": {}}


def test_it_is_process_1_without_root_without_capabilities(images: Images, container: str) -> None:
    status = images.podman("exec", container, "cat", "/proc/1/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines())
    assert lines["Uid"].split() == ["64080"] * 4
    assert lines["Gid"].split() == ["64080"] * 4
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == 0
    assert images.podman("exec", container, "cat", "/proc/1/cmdline").split("\0")[-3:] == ["run", "--service", ""]


def test_it_converts_and_keeps_jobs_with_a_root_that_nobody_can_write(images: Images, container: str) -> None:
    writes = images.podman("exec", container, "sh", "-c", "touch /opt/ndfd/x /x 2>&1; true")
    assert writes.count("Read-only file system") == 2
    images.podman("cp", str(DOCUMENT), f"{container}:/var/lib/ndfd/document.pdf")
    converted = images.podman("exec", container, "ndfd", "convert", "/var/lib/ndfd/document.pdf")
    assert len(converted) > 100
    images.podman("exec", container, "ndfd", "submit", "--wait", "/var/lib/ndfd/document.pdf")
    assert "succeeded" in images.podman("exec", container, "ndfd", "jobs", "list")


def test_the_health_check_of_the_image_is_content(images: Images, container: str, config: dict[str, Any]) -> None:
    images.podman("exec", container, *config["Healthcheck"]["Test"][1:])


def test_nothing_that_builds_is_in_the_image_and_nothing_of_the_working_tree(images: Images, container: str) -> None:
    looked = images.podman(
        "exec", container, "sh", "-c", "ls /opt/ndfd/bin /opt/ndfd/lib/python3*/site-packages /build 2>&1; true"
    )
    names = set(looked.split())
    assert "ndfd" in names
    assert names.isdisjoint({"pip", "setuptools", "Cython", "tests", "ndfd.egg-link"})
    assert "/build" in looked
    assert "No such file" in looked


def test_a_stop_drains_and_is_a_success(images: Images, container: str) -> None:
    """The last one: there is no container after it."""
    images.podman("stop", "--time=60", container)
    assert images.podman("inspect", "--format={{.State.ExitCode}}", container).strip() == "0"
    assert "stopping" in said(images, container)
