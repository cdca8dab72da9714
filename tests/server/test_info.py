"""What the daemon says of itself and its machine, at both doors."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
from functools import partial

import msgspec

from ndfd.model.hardware import BackendState
from ndfd.model.info import Info
from ndfd.model.status import DaemonStatus, JobsStatus
from ndfd.platform import Peer
from ndfd.protocol.varlink_interfaces import GET_HARDWARE
from ndfd.server.methods import Methods
from tests.server.doors import LIMITS, SANDBOX, Doors, ScriptedPools, UnixHttpConnection
from tests.server.varlink_peer import Peer as VarlinkPeer


def over_http(doors: Doors) -> dict[str, object]:
    with contextlib.closing(UnixHttpConnection(doors.http_path)) as web:
        web.request("GET", "/info")
        response = web.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (200, "application/json")
        said: dict[str, object] = json.loads(response.read())
    return said


def test_both_doors_say_the_same_of_version_engine_machine_and_what_can_be_done(doors: Doors) -> None:
    said = over_http(doors)
    with VarlinkPeer(doors) as peer:
        assert peer.ask(GET_HARDWARE, {})["parameters"] == said
    info = msgspec.convert(said, Info)
    assert info.version == "0.1.0"
    assert info.engine == doors.status().engine
    (cuda,) = info.hardware.accelerators
    assert (cuda.state, cuda.driver, cuda.devices[0].name) == (BackendState.READY, "550.1", "Fake GPU")
    assert info.hardware.processor.features == ("avx2",)


def test_the_features_are_those_that_this_daemon_has(doors: Doors) -> None:
    status = doors.status()
    jobs = JobsStatus("/var/lib/ndfd", 0, 0, 0, 0, 0, 0, 0, 0, 0)
    whole = msgspec.structs.replace(SANDBOX, missing=())
    able = msgspec.structs.replace(status, jobs=jobs, sandbox=whole)
    bare = msgspec.structs.replace(status, engine=None, sandbox=None)
    for given, features in ((able, ("jobs", "sandbox", "fallback-fonts")), (bare, ())):
        daemon = dataclasses.replace(doors.daemon, status=partial(_same, given))
        methods = Methods(1, daemon, ScriptedPools(doors.conversions), LIMITS)
        assert asyncio.run(methods.info(Peer(os.getuid(), os.getgid(), 0))).features == features


def _same(status: DaemonStatus) -> DaemonStatus:
    return status
