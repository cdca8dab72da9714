"""A daemon whose configuration changes: used whole, or refused with everything as before."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ndfd.client import Client
from ndfd.errors import ConfigError, NdfdError, ShuttingDown
from ndfd.model.conversion import ConvertOptions, OutputFormat
from tests import documents
from tests.daemon.configured import Configured, running

ONE_WORKER = '[swarm]\nworkers = 1\nworker_memory = "1GB"\n'
TOKEN = "correct-horse-battery"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Configured]:
    with running(tmp_path, ONE_WORKER) as it:
        yield it


def text_of(client: Client, document: bytes) -> str:
    with client.convert(document, ConvertOptions(OutputFormat.TEXT)) as conversion:
        return conversion.text


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def descriptors(daemon: Configured) -> int:
    """Once they stay the same over many requests: a file that a thread has just read may be open for a moment more."""
    seen = [0]
    with daemon.client() as client:
        while seen != seen[:1] * 20:
            client.status()
            seen = [*seen, len(list(Path(f"/proc/{daemon.process.pid}/fd").iterdir()))][-20:]
    return seen[0]


def children(daemon: Configured) -> set[str]:
    pid = daemon.process.pid
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_a_limit_holds_from_the_next_request_on(daemon: Configured) -> None:
    document = documents.numbered_pages(3)
    with daemon.client() as client:
        client.convert(document).close()
        daemon.write(ONE_WORKER + '[document]\nmax_size = "1kB"\n')
        report = client.reload()
        assert (report.generation, [change.key for change in report.changes]) == (2, ["document.max_size"])
        with pytest.raises(NdfdError) as refused:
            client.convert(document)
        assert (refused.value.code, refused.value.generation) == ("document-too-large", 2)


def test_a_refused_file_leaves_everything_as_it_was(daemon: Configured) -> None:
    with daemon.client() as client:
        before = client.configuration()
        open_before, children_before = descriptors(daemon), children(daemon)
        daemon.write('[swarm]\nworkers = 1\nworker_memory = "300MB"\nwrkers = 5\n[logging]\nlevel = "loud"\n')
        with pytest.raises(ConfigError) as refused:
            client.reload()
        assert refused.value.details == (
            f"{daemon.file}:4:1: swarm.wrkers: there is no such key; did you mean swarm.workers?",
            f"{daemon.file}:6:9: logging.level: 'loud' is none of debug, info, warning, error",
        )
        assert client.configuration() == before
        assert (descriptors(daemon), children(daemon)) == (open_before, children_before)
        client.convert(documents.numbered_pages(1)).close()
    assert "ndfd_config_last_reload_successful 0.0" in daemon.get("/metrics")[1]
    (event,) = [each for each in daemon.events() if "refused" in each["event"]]
    assert (event["generation"], len(event["reasons"])) == (1, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[security]\nadmins = ["no-such-user-here"]\n', "security.admins: there is no user 'no-such-user-here'"),
        ('[logging]\noutput = "/no/such/folder/log"\n', "/no/such/folder/log"),
        ('[runtime]\nmax_memory = "300MB"\n', "do not fit into 300MB"),
        ('[swarm]\ncpus = "4000"\n', "CPU 4000"),
    ],
)
def test_what_only_this_machine_refuses_is_refused_before_anything_changes(
    tmp_path: Path, text: str, says: str
) -> None:
    with running(tmp_path, "") as daemon, daemon.client() as client:
        # The daemon has accepted the connection when it answers.
        client.status()
        open_before, children_before = descriptors(daemon), children(daemon)
        daemon.write(text)
        with pytest.raises(ConfigError) as refused:
            client.reload()
        assert says in " ".join((refused.value.message, *refused.value.details))
        assert client.status().generation == 1
        assert (descriptors(daemon), children(daemon)) == (open_before, children_before)
        if "output" not in text:
            with pytest.raises(ConfigError):
                client.reload(dry_run=True)


def test_a_socket_file_that_somebody_removed_does_not_stand_in_the_way_of_a_reload(daemon: Configured) -> None:
    with daemon.client() as client:
        processes = len(children(daemon))
        (daemon.sockets / "http.sock").unlink()
        daemon.write('[swarm]\nworkers = 1\nworker_memory = "500MB"\n')
        assert client.reload().generation == 2
        assert client.status().generation == 2
        while len(children(daemon)) != processes:
            os.sched_yield()


def test_new_worker_options_give_new_workers_and_those_at_work_finish(daemon: Configured) -> None:
    with daemon.client() as busy, daemon.client() as client:
        (old,) = client.status().workers
        began, reloaded = threading.Event(), threading.Event()
        results = []

        def convert() -> None:
            def on_page(page: object) -> None:
                began.set()

            with busy.convert(documents.slow_second_page(150), on_page=on_page) as conversion:
                results.append((conversion.report.pages, conversion.generation, reloaded.is_set()))

        thread = threading.Thread(target=convert)
        thread.start()
        assert began.wait(20)
        daemon.write('[swarm]\nworkers = 2\nworker_memory = "500MB"\n')
        report = client.reload()
        reloaded.set()
        assert [change.key for change in report.changes] == ["swarm.workers", "swarm.worker_memory"]
        client.convert(documents.numbered_pages(1)).close()
        thread.join()
        assert results == [(3, 1, True)]
        workers = client.status().workers
        assert old.id not in {worker.id for worker in workers} or len(workers) == 3
        limits = Path(f"/proc/{workers[-1].pid}/limits").read_text()
        assert "500000000" in next(line for line in limits.splitlines() if line.startswith("Max address space"))


def test_the_number_of_workers_changes_without_new_ones_for_those_that_stay(daemon: Configured) -> None:
    with daemon.client() as client:
        (stays,) = client.status().workers
        daemon.write('[swarm]\nworkers = 3\nworker_memory = "1GB"\n')
        client.reload()
        assert len(client.status().workers) == 3
        assert stays.pid in {worker.pid for worker in client.status().workers}


def test_what_needs_a_restart_is_named_and_stays_as_it_was(daemon: Configured) -> None:
    daemon.write(ONE_WORKER + "[runtime]\nthread_pool_size = 9\n")
    with daemon.client() as client:
        (change,) = client.reload().changes
        assert (change.key, change.effect.value, change.old, change.new) == (
            "runtime.thread_pool_size",
            "restart",
            "4",
            "9",
        )
        (setting,) = [each for each in client.configuration().settings if each.key == change.key]
        assert setting.value == "4"
        # It is still named by the next one.
        assert [each.key for each in client.reload(dry_run=True).changes] == ["runtime.thread_pool_size"]


def test_a_dry_run_says_what_would_change_and_changes_nothing(daemon: Configured) -> None:
    daemon.write(ONE_WORKER + "[metrics]\nenabled = false\n")
    with daemon.client() as client:
        report = client.reload(dry_run=True)
        assert ([change.key for change in report.changes], report.generation) == (["metrics.enabled"], 1)
        assert client.status().generation == 1
    assert daemon.get("/metrics")[0] == 200


def test_sighup_reloads(daemon: Configured) -> None:
    daemon.write(ONE_WORKER + "[metrics]\nenabled = false\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for("the configuration was reloaded")
    assert daemon.get("/metrics")[0] == 404


def test_a_storm_of_sighups_is_survived_and_the_last_file_holds(daemon: Configured) -> None:
    for number in range(1, 200):
        daemon.write(ONE_WORKER + f"max_queue = {number}\n")
        daemon.process.send_signal(signal.SIGHUP)
    with daemon.client() as client:
        # Whatever is still asked for is done before this one, or after it with the same file.
        client.reload()
        (setting,) = [each for each in client.configuration().settings if each.key == "swarm.max_queue"]
        assert setting.value == "199"


def test_the_mode_of_the_sockets_changes(daemon: Configured) -> None:
    daemon.write(ONE_WORKER + '[network]\nsocket_mode = "0600"\n')
    with daemon.client() as client:
        client.reload()
    assert {path.stat().st_mode & 0o777 for path in daemon.sockets.glob("*.sock")} == {0o600}


def test_the_log_moves_to_a_file_and_back(daemon: Configured, tmp_path: Path) -> None:
    path = tmp_path / "ndfd.log"
    with daemon.client() as client:
        daemon.write(ONE_WORKER + f'[logging]\noutput = "{path}"\n')
        client.reload()
        daemon.write(ONE_WORKER)
        client.reload()
    assert path.read_text().count("the configuration was reloaded") == 1
    assert [event["event"] for event in daemon.events()].count("the configuration was reloaded") == 1


def test_a_door_on_the_network_opens_changes_its_token_moves_and_closes(daemon: Configured, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]

    def text(port: int, token: str) -> str:
        return ONE_WORKER + f'[network]\nbind_address = "127.0.0.1:{port}"\n[security]\ntoken = "{token}"\n'

    def ask(port: int, token: str) -> int:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as web:
            web.request("GET", "/health", headers={"Authorization": f"Bearer {token}"})
            return web.getresponse().status

    with daemon.client() as client:
        with pytest.raises(ConnectionRefusedError):
            ask(ports[0], TOKEN)
        daemon.write(text(ports[0], TOKEN))
        client.reload()
        assert (ask(ports[0], TOKEN), ask(ports[0], "wrong")) == (200, 401)
        daemon.write(text(ports[0], TOKEN[::-1]))
        (change,) = client.reload().changes
        assert (change.key, TOKEN in repr(change)) == ("security.token", False)
        assert (ask(ports[0], TOKEN), ask(ports[0], TOKEN[::-1])) == (401, 200)
        daemon.write(text(ports[1], TOKEN))
        client.reload()
        assert ask(ports[1], TOKEN) == 200
        with pytest.raises(ConnectionRefusedError):
            ask(ports[0], TOKEN)
        daemon.write(ONE_WORKER)
        client.reload()
        with pytest.raises(ConnectionRefusedError):
            ask(ports[1], TOKEN)


def test_an_address_that_somebody_else_has_refuses_the_reload_and_the_old_door_stays(daemon: Configured) -> None:
    port = free_port()
    door = f'[network]\nbind_address = "127.0.0.1:{port}"\n[security]\ntoken = "{TOKEN}"\n'
    with daemon.client() as client, socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.write(ONE_WORKER + door)
        client.reload()
        daemon.write(ONE_WORKER + door.replace(str(port), str(taken.getsockname()[1])))
        with pytest.raises(ConfigError, match="Address already in use"):
            client.reload()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
            sock.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert sock.recv(100).startswith(b"HTTP/1.1 401 ")


def test_files_that_change_are_read_when_that_is_asked_for(tmp_path: Path) -> None:
    hot = ONE_WORKER + "[development]\nhot_reload = true\n"
    with running(tmp_path, hot) as daemon:
        daemon.write(hot + "[metrics]\nenabled = false\n")
        daemon.wait_for("the configuration was reloaded")
        assert daemon.get("/metrics")[0] == 404
        (tmp_path / "etc" / "conf.d").mkdir()
        (tmp_path / "etc" / "conf.d" / "10.toml").write_text("[metrics]\nenabled = true\n")
        daemon.wait_for("the configuration was reloaded", 2)
        with daemon.client() as client:
            # A change that cannot be used is logged, and the next one that can is used.
            daemon.write(hot + "nonsense\n")
            daemon.wait_for("the configuration is refused, the old one serves on")
            assert client.status().generation >= 3
            daemon.write(hot)
            before = client.status().generation
        daemon.wait_for("the configuration was reloaded", before)


def test_a_file_behind_a_link_is_followed_as_a_mounted_config_map_is(tmp_path: Path) -> None:
    with running(tmp_path, ONE_WORKER) as daemon:
        etc = daemon.file.parent
        hot = ONE_WORKER + "[development]\nhot_reload = true\n"
        for name, text in (("..1", hot), ("..2", hot + "[metrics]\nenabled = false\n")):
            (etc / name).mkdir()
            (etc / name / "config.toml").write_text(text)
        daemon.file.unlink()
        (etc / "..data").symlink_to("..1")
        daemon.file.symlink_to("..data/config.toml")
        with daemon.client() as client:
            client.reload()
        (etc / "..new").symlink_to("..2")
        (etc / "..new").rename(etc / "..data")
        daemon.wait_for("the configuration was reloaded", 2)
        assert daemon.get("/metrics")[0] == 404


def test_a_stop_in_the_middle_of_a_reload_is_a_stop(tmp_path: Path) -> None:
    with running(tmp_path, ONE_WORKER) as daemon, daemon.client() as client:
        for number in range(20):
            daemon.write(f'[swarm]\nworkers = 2\nworker_memory = "{300 + number}MB"\n')
            daemon.process.send_signal(signal.SIGHUP)
        with contextlib.suppress(ShuttingDown, NdfdError):
            daemon.process.send_signal(signal.SIGTERM)
            client.reload()
        client.close()
        assert daemon.process.wait(30) == 0
        assert [path.name for path in daemon.sockets.iterdir()] == ["ndfd.lock"]


def test_no_reload_leaves_a_descriptor_or_a_process_behind(daemon: Configured) -> None:
    with daemon.client() as client:
        client.reload()
        before, processes = descriptors(daemon), len(children(daemon))
        for number in range(10):
            daemon.write(f'[swarm]\nworkers = 1\nworker_memory = "{300 + number}MB"\n')
            client.reload()
        client.reload()
        while len(client.status().workers) != 1 or len(children(daemon)) != processes:
            os.sched_yield()
        assert descriptors(daemon) == before


def test_warnings_about_files_are_in_the_status_and_in_the_log(daemon: Configured) -> None:
    daemon.file.chmod(0o666)
    with daemon.client() as client:
        report = client.reload()
        said = f"{daemon.file} can be changed by every user: chmod o-w {daemon.file}"
        assert said in report.warnings
        assert said in client.status().warnings
        assert said in client.configuration().warnings
    assert any(said in event["event"] for event in daemon.events())
