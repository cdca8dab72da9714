"""Which layer wins, and that the winner is named, as layers come and go."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndfd.config.context import Context
from ndfd.config.keys import KEYS, find_key
from ndfd.config.load import read
from ndfd.model.configuration import SECRET
from tests.config.scene import LAYERS, Scene, context

#: For each key, the layers that can set it, with a value of their own each, as TOML has it and as it is shown.
_NUMBERS = {layer: number for number, layer in enumerate(LAYERS, 2)}
_SAMPLES: dict[str, tuple[dict[str, str | int | bool], dict[str, str]]] = {
    "swarm.workers": (
        {layer: n for layer, n in _NUMBERS.items() if layer != "credential"},
        {layer: str(n) for layer, n in _NUMBERS.items()},
    ),
    "runtime.max_memory": (
        {layer: f"{n}GB" for layer, n in _NUMBERS.items() if layer != "credential"},
        {layer: f'"{n}GB"' for layer, n in _NUMBERS.items()},
    ),
    "swarm.pools.bulk.max": (
        {layer: n for layer, n in _NUMBERS.items() if layer not in ("credential", "alias")},
        {layer: str(n) for layer, n in _NUMBERS.items()},
    ),
    "network.stall_timeout": (
        {layer: f"{n}m" for layer, n in _NUMBERS.items() if layer not in ("credential", "alias")},
        {layer: f'"{n}m"' for layer, n in _NUMBERS.items()},
    ),
    "logging.output": (
        {layer: f"/var/log/{n}" for layer, n in _NUMBERS.items() if layer not in ("credential", "alias")},
        {layer: f'"/var/log/{n}"' for layer, n in _NUMBERS.items()},
    ),
    "security.token": (
        {layer: f"secret-of-the-layer-{n}" for layer, n in _NUMBERS.items() if layer not in ("flag", "alias")},
        dict.fromkeys(_NUMBERS, SECRET),
    ),
}


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_the_strongest_layer_that_is_left_wins_and_names_all_it_shadows(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(_SAMPLES)))
    values, shown = _SAMPLES[key]
    removals = data.draw(st.permutations(sorted(values)))
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), key, dict(values))
        for removal in (None, *removals):
            scene.values.pop(removal, None)  # type: ignore[call-overload]
            scene.write()
            reading = read(scene.context())
            assert reading.mistakes == ()
            left = [layer for layer in reversed(LAYERS) if layer in scene.values]
            if not left and key not in KEYS:
                # Its table has gone with the last layer that wrote in it.
                assert key not in reading.resolved
                continue
            setting = reading.resolved[key]
            found = [(str(setting.origin), setting.value)]
            found += [(str(each.origin), each.value) for each in setting.shadowed]
            declared = find_key(key)
            assert declared is not None
            default = ("built-in default", declared.default_text)
            assert found == [*((scene.origin(layer), shown[layer]) for layer in left), default]


def test_the_settings_hold_what_the_winner_says(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "swarm.workers", dict(_SAMPLES["swarm.workers"][0]))
    while scene.values:
        scene.write()
        strongest = [layer for layer in LAYERS if layer in scene.values][-1]
        loaded = read(scene.context()).accepted()
        assert loaded.settings.swarm.workers == scene.values.pop(strongest)


def test_the_last_of_several_flags_counts(tmp_path: Path) -> None:
    loaded = read(context(tmp_path, flags=("swarm.workers=3", "swarm.workers=4"))).accepted()
    assert loaded.settings.swarm.workers == 4


def test_files_of_conf_d_count_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "etc/conf.d"
    folder.mkdir(parents=True)
    for name in ("9.toml", "10.toml", "a.toml", ".#a.toml", "z.toml.bak"):
        (folder / name).write_text(f'[logging]\noutput = "/{name}"\n')
    loaded = read(context(tmp_path)).accepted()
    assert loaded.settings.logging.output == Path("/a.toml")
    assert [Path(name).name for name in loaded.files] == ["10.toml", "9.toml", "a.toml"]


def test_a_service_reads_no_file_of_a_user_or_of_the_folder_it_was_started_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene(tmp_path, "swarm.workers", {"config.toml": 2, "user": 3, "local": 4})
    scene.write()
    for name, value in scene.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.chdir(tmp_path / "here")
    assert read(Context.of_process(service=False)).accepted().settings.swarm.workers == 4
    assert read(Context.of_process(service=True)).accepted().settings.swarm.workers == 2


@pytest.mark.parametrize(("env", "workers"), [(None, 3), ("production", 3), ("development", 4)])
def test_the_file_of_the_working_folder_counts_in_development_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str | None, workers: int
) -> None:
    scene = Scene(tmp_path, "swarm.workers", {"user": 3, "local": 4})
    scene.write()
    for name, value in scene.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("NDFD_ENV") if env is None else monkeypatch.setenv("NDFD_ENV", env)
    monkeypatch.chdir(tmp_path / "here")
    assert read(Context.of_process(service=False)).accepted().settings.swarm.workers == workers


def test_an_environment_that_no_file_belongs_to_is_warned_of_with_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "config.production.toml").touch()
    reading = read(Context(environment={}, system_dir=tmp_path, env="prodution"))
    (said,) = reading.warnings
    assert said.startswith(f"NDFD_ENV=prodution names {tmp_path}/config.prodution.toml, which is not there")
    assert said.endswith("; there are config.production.toml")


def test_a_private_daemon_reads_no_file_and_stays_in_its_folder(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "swarm.workers", {"config.toml": 2, "user": 3, "variable": 5})
    scene.write()
    settings = read(scene.context().private(tmp_path / "mine")).accepted().settings
    assert settings.swarm.workers == 5
    assert settings.network.socket_dir == tmp_path / "mine"
    assert (settings.network.bind_address, settings.logging.output) == ("off", "stderr")


@pytest.mark.parametrize("kind", ["folder", "fifo", "device", "dangling link"])
def test_what_is_no_file_is_a_mistake_and_keeps_nobody_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case _:
            path.symlink_to(tmp_path / "nowhere")
    (mistake,) = read(Context(environment={}, system_dir=tmp_path)).mistakes
    assert str(mistake).startswith(f"{path}: the ")


def test_a_folder_of_drop_ins_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "conf.d").write_text("no folder")
    (mistake,) = read(Context(environment={}, system_dir=tmp_path)).mistakes
    assert str(mistake) == f"{tmp_path}/conf.d: the folder cannot be read: Not a directory"


def test_refusing_a_folder_in_place_of_a_file_leaves_no_descriptor_open(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        (mistake,) = read(Context(environment={}, system_dir=tmp_path)).mistakes
        assert "no regular file" in str(mistake)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_named_folder_that_is_not_there_is_warned_of(tmp_path: Path) -> None:
    named = tmp_path / "nfdf"
    reading = read(Context(environment={"NDFD_CONFIG_DIR": str(named)}, system_dir=named))
    assert reading.warnings == (
        f"NDFD_CONFIG_DIR names {named}, which is no folder: the machine's configuration is not read",
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another user, which only root may do")
@pytest.mark.parametrize("place", ["user", "local", "credential"])
def test_a_file_behind_a_folder_that_lets_nobody_through_is_named_and_not_passed_over(place: str) -> None:
    # Not pytest's folder, which lets nobody through itself.
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        scene = Scene(root, "security.token", {place: "the-token-of-a-layer"})
        scene.write()
        scene.path(place).parent.chmod(0o700)
        os.seteuid(65534)
        try:
            mistakes = read(scene.context()).mistakes
        finally:
            os.seteuid(0)
        assert any(str(scene.path(place)) in str(each) and "Permission denied" in str(each) for each in mistakes)


def test_hooks_and_watches_of_a_daemon_that_takes_no_jobs_are_warned_of(tmp_path: Path) -> None:
    flags = ("jobs.enabled=false", "hooks.out.folder=/srv/out", "watch.in.path=/srv/in")
    warned = read(context(tmp_path, flags=flags)).warnings
    assert warned == ("without effect while [jobs] enabled is false: [watch.in], [hooks.out]",)
    assert read(context(tmp_path, flags=flags[1:])).warnings == ()
