"""The sockets of launchd, by a library that answers as launch_activate_socket(3) is documented to."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from ndfd.platform.darwin import Darwin
from ndfd.platform.darwin_service import LaunchdManager
from ndfd.platform.service_manager import ServiceManager

_LIBRARY = """
#include <errno.h>
#include <stdlib.h>
#include <string.h>
int descriptors[2], result, released;
int launch_activate_socket(const char *name, int **fds, size_t *count)
{
    if (result)
        return result;
    if (strcmp(name, "http") == 0)
        return ENOENT;
    *fds = malloc(sizeof descriptors);
    memcpy(*fds, descriptors, sizeof descriptors);
    *count = 2;
    return 0;
}
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """Gives two descriptors for `varlink` and has none for `http`."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    folder = tmp_path_factory.mktemp("launchd")
    (folder / "launchd.c").write_text(_LIBRARY)
    built = folder / "launchd.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(built), str(folder / "launchd.c")], check=True)
    return ctypes.CDLL(str(built))


def test_each_descriptor_has_the_key_of_its_socket_and_closes_on_exec(library: ctypes.CDLL, tmp_path: Path) -> None:
    ctypes.c_int.in_dll(library, "result").value = 0
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        for each in (one, two):
            os.set_inheritable(each.fileno(), True)
        array = (ctypes.c_int * 2).in_dll(library, "descriptors")
        array[0], array[1] = one.fileno(), two.fileno()
        passed = LaunchdManager(library).take_passed()
        assert [(each.name, each.fd) for each in passed] == [("varlink", one.fileno()), ("varlink", two.fileno())]
        assert not any(os.get_inheritable(each.fd) for each in passed)


def test_what_launchd_refuses_is_an_error_that_names_the_socket(library: ctypes.CDLL) -> None:
    ctypes.c_int.in_dll(library, "result").value = 12
    with pytest.raises(OSError, match="the socket varlink"):
        LaunchdManager(library).take_passed()


def test_launchd_is_there_when_it_started_the_process() -> None:
    assert isinstance(Darwin().service_manager({"XPC_SERVICE_NAME": "io.ndfd.daemon"}), LaunchdManager)
    for environment in ({}, {"XPC_SERVICE_NAME": "0"}):
        assert type(Darwin().service_manager(environment)) is ServiceManager
