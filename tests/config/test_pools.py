"""Tables whose names the operator chooses: [swarm.pools.NAME], in every layer and with every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.config.context import Context
from ndfd.config.environment import path_of
from ndfd.config.keys import find_key, variable
from ndfd.config.load import Loaded, Reading, read, read_files
from ndfd.config.plan import changes, planned
from ndfd.model.pools import ROLES_TO_COME, Priority, Role


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return path


def reading(tmp_path: Path, text: str, *flags: str, **environment: str) -> Reading:
    write(tmp_path, text)
    return read(Context(environment=environment, flags=flags, system_dir=tmp_path))


def loaded(tmp_path: Path, text: str, *flags: str, **environment: str) -> Loaded:
    return reading(tmp_path, text, *flags, **environment).accepted()


def mistakes(tmp_path: Path, text: str, *flags: str, **environment: str) -> list[str]:
    found = reading(tmp_path, text, *flags, **environment).mistakes
    return [str(mistake).removeprefix(f"{tmp_path}/config.toml:") for mistake in found]


def test_a_pool_has_its_own_values_and_those_of_swarm_for_what_is_left_out(tmp_path: Path) -> None:
    swarm = (
        '[swarm]\nworkers = 6\nworker_memory = "2GB"\npriority = "low"\n'
        '[swarm.pools.bulk]\nmax = 3\nmin = 0\ncpus = "0-1"\n[swarm.pools.fast]\npriority = "high"\n'
    )
    settings = loaded(tmp_path, swarm).settings.swarm
    assert tuple(settings.every_pool()) == ("default", "bulk", "fast")
    default, bulk, fast = settings.every_pool().values()
    assert (default.max, default.min, default.memory, default.priority) == (6, "all", 2 * 10**9, Priority.LOW)
    assert (bulk.max, bulk.min, bulk.memory, bulk.priority) == (3, 0, 2 * 10**9, Priority.LOW)
    assert (bulk.cpus, fast.cpus) == ({0, 1}, "all")
    assert (fast.max, fast.priority, fast.role) == (6, Priority.HIGH, Role.EXTRACTOR)
    assert fast.idle_timeout == default.idle_timeout == 60.0


def test_what_is_left_out_names_the_place_of_the_value_that_holds(tmp_path: Path) -> None:
    resolved = loaded(tmp_path, "[swarm]\nworkers = 6\n[swarm.pools.bulk]\n", NEURALDOCFLOW_WORKERS="5").resolved
    setting = resolved["swarm.pools.bulk.max"]
    assert (setting.value, str(setting.origin)) == ("5", "NEURALDOCFLOW_WORKERS")
    assert [(str(each.origin), each.value) for each in setting.shadowed] == [
        (f"{tmp_path}/config.toml:2:11", "6"),
        ("built-in default", '"auto"'),
    ]


def test_an_empty_table_declares_a_pool_wherever_it_is_written(tmp_path: Path) -> None:
    for text in ("[swarm.pools.bulk]\n", "[swarm]\npools.bulk = {}\n", "[swarm.pools]\nbulk = {}\n"):
        assert tuple(loaded(tmp_path, text).settings.swarm.pools) == ("bulk",)
    for text in ("", "[swarm.pools]\n", "[swarm]\npools = {}\n"):
        assert loaded(tmp_path, text).settings.swarm.pools == {}


def test_each_layer_may_declare_a_pool_and_change_one(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.toml").write_text("[swarm.pools.bulk]\nmax = 3\n[swarm.pools.other]\n")
    found = loaded(
        tmp_path,
        '[swarm.pools.bulk]\nmax = 2\nmemory = "1GB"\n',
        "swarm.pools.from-flags.min=1",
        NDFD_SWARM__POOLS__FROM_VARIABLES__MAX="4",
    )
    pools = found.settings.swarm.pools
    assert sorted(pools) == ["bulk", "from-flags", "from-variables", "other"]
    assert (pools["bulk"].max, pools["bulk"].memory, pools["from-variables"].max) == (3, 10**9, 4)
    assert (pools["from-flags"].min, pools["from-flags"].max) == (1, "auto")
    assert str(found.resolved["swarm.pools.from-variables.max"].origin) == "NDFD_SWARM__POOLS__FROM_VARIABLES__MAX"
    assert str(found.resolved["swarm.pools.from-flags.min"].origin) == "--set swarm.pools.from-flags.min"


@pytest.mark.parametrize("name", ["bulk", "a", "a-b", "a--b", "b-", "x" * 32, "max", "pools"])
def test_the_variable_of_a_key_leads_back_to_it(name: str) -> None:
    for key in ("max", "idle_timeout"):
        path = f"swarm.pools.{name}.{key}"
        assert find_key(path) is not None
        assert path_of(variable(path)) == path


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[swarm.pools.bulk]\nmx = 3\n", "2:1: swarm.pools.bulk.mx: there is no such key; did you mean swarm.pools.bulk.max?"),
        ("[swarm.pools.bulk]\nmax = 0\n", "2:7: swarm.pools.bulk.max: 0 is below the minimum, 1"),
        ("[swarm.pools.bulk]\nmax.x = 1\n", '2:1: swarm.pools.bulk.max: a table where "auto" or a whole number from 1 to 1024 is needed'),
        ('[swarm.pools.bulk]\nrole = "ocr"\n', "2:8: swarm.pools.bulk.role: the role 'ocr' is not built into this version: write \"extractor\""),
        ('[swarm.pools.bulk]\nrole = "extracter"\n', "2:8: swarm.pools.bulk.role: 'extracter' is none of extractor; did you mean \"extractor\"?"),
        ('[swarm.pools.bulk]\npriority = "hihg"\n', "2:12: swarm.pools.bulk.priority: 'hihg' is none of low, normal, high; did you mean \"high\"?"),
        ("[swarm.pools.Bulk]\nmax = 3\nmin = 1\n", "1:2: swarm.pools.Bulk: 'Bulk' is not the name of a pool: write a letter from a to z, then at most 31 of a to z, 0 to 9 and -; did you mean [swarm.pools.bulk]?"),
        ("[swarm.pools.9]\n", "1:2: swarm.pools.9: '9' is not the name of a pool: write a letter from a to z, then at most 31 of a to z, 0 to 9 and -"),
        ("[swarm.pools.default]\nmax = 3\n", "1:2: swarm.pools.default: the pool 'default' is described by the keys of [swarm] itself"),
        ("[swarm.pools]\nmax = 3\n", "2:1: swarm.pools.max: is a value where a table is needed: write [swarm.pools.NAME] and its keys below"),
        ("[swarm]\npools = 3\n", "2:1: swarm.pools: is a table of tables: write [swarm.pools.NAME] and its keys below"),
        ("[[swarm.pools]]\nmax = 3\n", "1:3: swarm.pools: each has a name: write [swarm.pools.NAME] and its keys below"),
        ("[[swarm.pools.bulk]]\nmax = 3\n", "1:3: swarm.pools.bulk: there is one such table: write [swarm.pools.bulk]"),
        ("[swarm.poolz.bulk]\nmax = 3\nmin = 1\n", "1:2: swarm.poolz: there is no such key; did you mean swarm.pools?"),
        ("[pools.bulk]\nmax = 3\n", "1:2: pools: there is no such group; did you mean [swarm.pools]?"),
        ("[swarm.pools.bulk]\nmax = 3\n[swarm.pools.bulk]\n", "3:2: swarm.pools.bulk: is declared twice, first in line 1"),
        ("[swarm.pools.bulk]\nmax = 3\nmin = 4\n", "3:7: swarm.pools.bulk.min: min (4) is above max (3)"),
        ("[swarm]\nmin_workers = 4\nworkers = 5\n[swarm.pools.bulk]\nmax = 3\n", "2:15: swarm.pools.bulk.min: min (4) is above max (3)"),
        ("[swarm]\nmin_workers = 4\nworkers = 3\n", "2:15: swarm.min_workers: min_workers (4) is above workers (3)"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_once_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert mistakes(tmp_path, text) == [said]


def test_every_role_that_is_to_come_is_refused_by_its_name(tmp_path: Path) -> None:
    for role in ROLES_TO_COME:
        assert "not built into this version" in mistakes(tmp_path, "", f"swarm.pools.x.role={role}")[0]
    assert not set(ROLES_TO_COME) & set(Role)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("swarm.pools.bulk.mx=3", "there is no such key; did you mean swarm.pools.bulk.max?"),
        ("swarm.pols.bulk.max=3", "there is no such key; did you mean swarm.pools.bulk.max?"),
        ("swarm.pools.max=3", "there is no such key; did you mean swarm.pools.NAME.max?"),
        ("swarm.pools.BULK.max=3", "'BULK' is not the name of a pool: write a letter from a to z, then at most 31 of a to z, 0 to 9 and -; did you mean swarm.pools.bulk.max?"),
        ("swarm.pools.default.max=3", "the pool 'default' is described by the keys of [swarm] itself"),
        ("swarm.pools.bulk.max=many", "'many' cannot be used: write \"auto\" or a whole number from 1 to 1024"),
    ],
)  # fmt: skip
def test_a_mistake_on_the_command_line_is_named(tmp_path: Path, given: str, said: str) -> None:
    (found,) = mistakes(tmp_path, "", given)
    assert found == f"--set {given.partition('=')[0]}: {said}"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("NDFD_SWARM__POOLS__BULK__MX", "there is no such variable; did you mean NDFD_SWARM__POOLS__BULK__MAX?"),
        ("NDFD_SWARM__POOLS__bulk__MAX", "there is no such variable; did you mean NDFD_SWARM__POOLS__BULK__MAX?"),
        ("NDFD_SWARM__POLS__BULK_OCR__MAX", "there is no such variable; did you mean NDFD_SWARM__POOLS__BULK_OCR__MAX?"),
        ("NDFD_SWARM__POOLS__MAX", "there is no such variable; did you mean NDFD_SWARM__POOLS__NAME__MAX?"),
        ("NDFD_SWARM__POOLS__DEFAULT__MAX", "the pool 'default' is described by the keys of [swarm] itself"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_variable_is_named(tmp_path: Path, name: str, said: str) -> None:
    assert mistakes(tmp_path, "", **{name: "3"}) == [f"{name}: {said}"]


def test_the_hash_tells_pools_apart_but_not_the_order_in_which_they_are_written(tmp_path: Path) -> None:
    one, other = "[swarm.pools.a]\nmax = 1\n", "[swarm.pools.b]\nmax = 2\n"
    hashes = [
        reading(tmp_path, text).hash for text in ("", one, one + other, other + one, "[swarm.pools.c]\nmax = 1\n")
    ]
    assert hashes[2] == hashes[3]
    assert len(set(hashes)) == 4


def test_a_reload_is_planned_with_what_comes_goes_and_changes(tmp_path: Path) -> None:
    old = loaded(tmp_path, "[swarm.pools.a]\nmax = 1\n[swarm.pools.b]\nmax = 2\n")
    new = loaded(tmp_path, '[swarm]\nworker_memory = "1GB"\n[swarm.pools.b]\nmax = 3\n[swarm.pools.c]\n')
    for found in (planned(old, new), changes(old.resolved, new.resolved)):
        said = {change.key: (change.old, change.new, change.origin.line, change.effect.value) for change in found}
        assert said["swarm.pools.b.max"] == ("2", "3", 4, "at_once")
        assert said["swarm.pools.b.memory"] == ('"4GB"', '"1GB"', 2, "new_workers")
        assert said["swarm.pools.a.max"] == ("1", None, None, "at_once")
        assert said["swarm.pools.c.max"] == (None, '"auto"', None, "at_once")
        assert "swarm.pools.b.cpus" not in said
        assert len([key for key in said if key.startswith("swarm.pools.a.")]) == 10
    assert planned(old, old) == changes(old.resolved, old.resolved) == ()


def test_a_file_shown_as_it_is_resolved_gives_the_same_configuration(tmp_path: Path) -> None:
    from ndfd.cli.config_show import toml_lines

    one = loaded(tmp_path, '[swarm]\nworkers = 4\n[swarm.pools.b]\npriority = "high"\n[swarm.pools.a]\nmin = 0\n')
    shown = write(tmp_path, "\n".join(toml_lines(tuple(one.resolved.values()), with_origin=False)))
    again = read_files([shown]).accepted()
    assert again.hash == one.hash
    assert again.settings.swarm == one.settings.swarm
