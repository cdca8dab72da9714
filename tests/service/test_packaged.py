"""The files for service managers are there, from the source tree as from a wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from ndfd.service.packaged import _candidates, packaging_folder, systemd_files

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("launchd", "systemd")


def packaged() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / "packaging" / folder).rglob("*")
        if path.is_file()
    }


def test_the_source_tree_has_its_own() -> None:
    assert packaging_folder() == ROOT / "packaging"
    assert {"ndfd.service", "ndfd.socket"} <= set(systemd_files(user=False).units)
    assert {"ndfd.service", "ndfd.socket"} <= set(systemd_files(user=True).units)


@pytest.mark.parametrize(
    ("package", "folder"),
    [
        ("/opt/ndfd/lib/python3.13/site-packages/ndfd", "/opt/ndfd/share/ndfd/packaging"),
        ("/usr/lib/python3/dist-packages/ndfd", "/usr/share/ndfd/packaging"),
        ("/home/me/.local/lib/python3.11/site-packages/ndfd", "/home/me/.local/share/ndfd/packaging"),
        ("/srv/target/ndfd", "/srv/target/share/ndfd/packaging"),
    ],
)
def test_it_is_found_below_the_prefix_however_ndfd_was_installed(package: str, folder: str) -> None:
    assert Path(folder) in _candidates(Path(package))


def test_every_file_is_one_that_a_wheel_gets_at_the_same_place() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    shipped = {}
    for target, patterns in data.items():
        for pattern in patterns:
            for path in ROOT.glob(pattern):
                shipped[str(path.relative_to(ROOT))] = f"{target}/{path.name}"
    assert packaged() <= set(shipped)
    assert {path: f"share/ndfd/{path}" for path in shipped} == shipped


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_has_them_and_installs_from_them(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(wheels),
        ".",
    ]
    subprocess.run(build, cwd=ROOT, check=True)
    (wheel,) = wheels.glob("ndfd-*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = {name.partition(".data/data/share/ndfd/")[2] for name in file.namelist()}
    assert packaged() <= names
    # What ndfd needs comes from this environment; ndfd itself from the wheel alone.
    home = tmp_path / "venv"
    venv.create(home, with_pip=False)
    library = next(home.glob("lib/python*/site-packages"))
    install = [
        sys.executable,
        "-m",
        "pip",
        f"--python={home}/bin/python",
        "install",
        "--quiet",
        "--no-deps",
        str(wheel),
    ]
    subprocess.run(install, check=True)
    ours = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    for path in ours.iterdir():
        if not path.name.startswith(("__editable__", "ndfd", "_editable")) and not (library / path.name).exists():
            (library / path.name).symlink_to(path)
    root = tmp_path / "root"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [f"{home}/bin/ndfd", "service", "install", "--root", str(root), "--systemd-version", "257"]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    written = {path.name for path in (root / "usr/lib/systemd/system").iterdir()}
    assert written == set(systemd_files(user=False).units)
