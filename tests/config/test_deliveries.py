"""[hooks.NAME], [watch.NAME] and its other writing [[watch]], in every layer and with every mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from ndfd.config.context import Context
from ndfd.config.environment import path_of
from ndfd.config.keys import find_key, secret_of, variable
from ndfd.config.load import Loaded, Reading, read
from ndfd.config.plan import changes, planned
from ndfd.model.configuration import SECRET, OriginKind
from ndfd.model.conversion import OutputFormat

KEY = "sixteen-characters"
STARTS = (
    "1:3: watch.a.path: is needed",
    "3:1: watch.a.formt: there is no such key",
    "4:8: there is no value after =",
    "8:10: watch.b.settle: 'soon' is not a duration",
)
HOOK = f'[hooks.web]\nurl = "https://example.org/in"\nsecret = "{KEY}"\n'


def reading(tmp_path: Path, text: str, *flags: str, **environment: str) -> Reading:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return read(Context(environment=environment, flags=flags, system_dir=tmp_path))


def loaded(tmp_path: Path, text: str, *flags: str, **environment: str) -> Loaded:
    return reading(tmp_path, text, *flags, **environment).accepted()


def mistakes(tmp_path: Path, text: str, *flags: str, **environment: str) -> list[str]:
    found = reading(tmp_path, text, *flags, **environment).mistakes
    return [str(mistake).removeprefix(f"{tmp_path}/config.toml:") for mistake in found]


def test_a_watch_has_what_is_written_and_folders_of_its_own_for_what_is_left_out(tmp_path: Path) -> None:
    watch = loaded(tmp_path, '[watch.scans]\npath = "/srv/in"\nformat = "json"\n').settings.watch["scans"]
    assert (watch.path, watch.format, watch.pattern) == (Path("/srv/in"), OutputFormat.JSON, "*.pdf")
    assert (watch.results, watch.finished) == (Path("/srv/in/results"), Path("/srv/in/done"))
    assert (watch.on_success, watch.hooks, watch.settle) == ("keep", "all", 2.0)


def test_an_array_of_tables_with_names_is_the_same_configuration(tmp_path: Path) -> None:
    tables = '[watch.a]\npath = "/a"\n[watch.b]\npath = "/b"\nformat = "html"\n'
    array = '[[watch]]\nname = "a"\npath = "/a"\n[[watch]]\npath = "/b"\nname = "b"\nformat = "html"\n'
    one, other = loaded(tmp_path, tables), loaded(tmp_path, array)
    assert one.settings == other.settings
    assert one.hash == other.hash
    assert str(other.resolved["watch.b.format"].origin) == f"{tmp_path}/config.toml:7:10"


def test_another_layer_changes_one_that_an_array_declares(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10.toml").write_text('[watch.a]\nsettle = "1m"\n[[hooks]]\nname = "out"\nfolder = "/o"\n')
    text = '[[watch]]\nname = "a"\npath = "/a"\nsettle = "3s"\n'
    found = loaded(tmp_path, text, "watch.a.on_success=move", NDFD_WATCH__A__FORMAT="text")
    watch = found.settings.watch["a"]
    assert (watch.settle, watch.on_success, watch.format) == (60.0, "move", OutputFormat.TEXT)
    assert found.settings.hooks["out"].folder == Path("/o")
    shadowed = found.resolved["watch.a.settle"].shadowed
    assert [(each.value, each.origin.line) for each in shadowed] == [('"3s"', 4), ('"2s"', None)]


@pytest.mark.parametrize("name", ["a", "a-b", "path", "secret", "hooks", "x" * 32])
def test_the_variable_of_a_key_leads_back_to_it(name: str) -> None:
    for path in (f"watch.{name}.on_success", f"hooks.{name}.url", f"hooks.{name}.secret", f"hooks.{name}.max_attempts"):
        assert find_key(path) is not None
        assert path_of(variable(path)) == path
    assert path_of(variable(f"hooks.{name}.secret_file")) == f"hooks.{name}.secret_file"
    assert secret_of(f"hooks.{name}.secret_file") == find_key(f"hooks.{name}.secret")
    assert secret_of(f"hooks.{name}.url_file") is None


@pytest.mark.parametrize("way", ["file", "file of the secret", "variable", "variable of the file", "flag of the file", "credential"])  # fmt: skip
def test_a_secret_is_taken_in_every_way_and_never_shown(tmp_path: Path, way: str) -> None:
    held = tmp_path / "held"
    held.mkdir()
    file = held / "hooks.web.secret"
    file.write_text(f"{KEY}\n")
    text = '[hooks.web]\nurl = "https://example.org/in"\n'
    text += {"file": f'secret = "{KEY}"\n', "file of the secret": f'secret_file = "{file}"\n'}.get(way, "")
    environment = {
        "variable": {"NDFD_HOOKS__WEB__SECRET": KEY},
        "variable of the file": {"NDFD_HOOKS__WEB__SECRET_FILE": str(file)},
    }.get(way, {})
    flags = (f"hooks.web.secret_file={file}",) if way == "flag of the file" else ()
    (tmp_path / "config.toml").write_text(text)
    found = read(Context(environment, flags, tmp_path, credentials_dir=held if way == "credential" else None))
    accepted = found.accepted()
    secret = accepted.settings.hooks["web"].secret
    assert secret is not None
    assert secret.get_secret_value() == KEY
    assert accepted.resolved["hooks.web.secret"].value == SECRET
    assert KEY not in f"{found!r} {accepted.settings!r} {accepted.warnings} {accepted.resolved}"
    kind = accepted.resolved["hooks.web.secret"].origin.kind
    assert kind is {
        "variable": OriginKind.ENVIRONMENT,
        "flag": OriginKind.FLAG,
        "credential": OriginKind.CREDENTIAL,
    }.get(way.partition(" ")[0], OriginKind.FILE)


def test_a_secret_leaves_the_hash_and_a_change_of_it_is_planned(tmp_path: Path) -> None:
    old, new = loaded(tmp_path, HOOK), loaded(tmp_path, HOOK.replace(KEY, "another-one-of-them"))
    assert old.hash == new.hash
    assert changes(old.resolved, new.resolved) == ()
    assert [(each.key, each.new) for each in planned(old, new)] == [("hooks.web.secret", SECRET)]


def test_a_secret_is_not_taken_from_a_command_line(tmp_path: Path) -> None:
    (said,) = mistakes(tmp_path, HOOK, f"hooks.web.secret={KEY}")
    assert "every user can see a command line: set hooks.web.secret_file" in said
    assert KEY not in said


def test_a_secret_in_a_file_that_all_can_read_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(HOOK)
    path.chmod(0o644)
    (warning,) = read(Context({}, system_dir=tmp_path)).warnings
    assert "holds the secret hooks.web.secret and every user can read it" in warning


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[watch.a]\n", "1:2: watch.a.path: is needed: the folder that is to be watched"),
        ("[[watch]]\nname = 'a'\n", "1:3: watch.a.path: is needed: the folder that is to be watched"),
        ("[[watch]]\npath = '/a'\n", "1:3: watch: each has a name: write [watch.NAME] and its keys below"),
        ("[[watch]]\nname = 3\npath = '/a'\n", "1:3: watch: each has a name: write [watch.NAME] and its keys below"),
        ("[[watch]]\nname = 'a'\npath = '/a'\n[[watch]]\nname = 'a'\npath = '/b'\n", "5:8: watch.a: is declared already, in line 1"),
        ("[[watch]]\nname = 'a'\npath = '/a'\n[[watch]]\n", "4:3: watch: each has a name: write [watch.NAME] and its keys below"),
        ("[[watch]]\nname = 'A b'\npath = '/a'\n", "1:3: watch.A b: 'A b' is not the name of a watch: write a letter from a to z, then at most 31 of a to z, 0 to 9 and -"),
        ("[[watch]]\nname = 'Scans'\npath = '/a'\n", "1:3: watch.Scans: 'Scans' is not the name of a watch: write a letter from a to z, then at most 31 of a to z, 0 to 9 and -; did you mean [watch.scans]?"),
        ("[[watch]]\nname = 'a'\npath = '/a'\nformt = 'json'\n", "4:1: watch.a.formt: there is no such key; did you mean watch.a.format?"),
        ("[[watch]]\nname = 'a'\npath = 'a'\n", "3:8: watch.a.path: 'a' is not an absolute path: begin it with /"),
        ("watch = [{ name = 'a', path = '/a' }]\n", "1:1: watch: is a table of tables: write [watch.NAME] and its keys below"),
        ("[watch]\npath = '/a'\n", "2:1: watch.path: is a value where a table is needed: write [watch.NAME] and its keys below"),
        ("[wacth.a]\npath = '/a'\n", "1:2: wacth: there is no such group; did you mean [watch]?"),
        ("[watch.a]\npath = '/a'\non_success = 'mvoe'\n", "3:14: watch.a.on_success: 'mvoe' is none of keep, move, delete; did you mean \"move\"?"),
        ("[watch.a]\npath = '/a'\npool = 'bulk'\n", "3:8: watch.a.pool: there is no pool 'bulk': declare [swarm.pools.NAME]"),
        ("[watch.a]\npath = '/a'\nhooks = ['web']\n", "3:9: watch.a.hooks: there is no hook 'web': declare [hooks.web]"),
        ("[watch.a]\npath = '/a'\npattern = 'in/*.pdf'\n", "3:11: watch.a.pattern: 'in/*.pdf' holds a /: the pattern is for names, `recursive` looks into folders"),
        ("[watch.a]\npath = '/a'\n[watch.b]\npath = '/a/'\n", "4:8: watch.b.path: files of this folder would be taken by watch.a as well"),
        ("[watch.a]\npath = '/a'\nrecursive = true\n[watch.b]\npath = '/a/b'\n", "5:8: watch.b.path: files of this folder would be taken by watch.a as well"),
        ("[watch.a]\npath = '/a'\noutput = '/a'\npattern = '*'\n", "3:10: watch.a.output: results would be taken for new files by watch.a: name another folder"),
        ("[watch.a]\npath = '/a'\nformat = 'text'\noutput = '/a/.'\npattern = '*.t?t'\n", "4:10: watch.a.output: results would be taken for new files by watch.a: name another folder"),
        ("[watch.a]\npath = '/a'\noutput = '/b/c'\n[watch.b]\npath = '/b'\nrecursive = true\npattern = '*.[mp]d*'\n", "3:10: watch.a.output: results would be taken for new files by watch.b: name another folder"),
        ("[watch.a]\npath = '/a'\non_success = 'move'\ndone = '/a'\n", "4:8: watch.a.done: converted documents would be taken again: name another folder"),
        ("[watch.a]\npath = '/a'\non_success = 'move'\ndone = '/b'\n[watch.b]\npath = '/b'\non_success = 'move'\ndone = '/a'\n", "4:8: watch.a.done: converted documents would be taken again: name another folder"),
        ("[watch.a]\npath = '/a'\npattern = '*'\n[hooks.h]\nfolder = '/a'\n", "5:10: hooks.h.folder: results would be taken for new files by watch.a: name another folder"),
        ("[hooks.h]\n", "1:2: hooks.h.url: it says nowhere to deliver to: set url or folder"),
        ("[hooks.h]\nurl = 'https://example.org'\n", "2:7: hooks.h.url: deliveries to a url are signed: set secret_file to the path of a file with a secret"),
        (HOOK + "folder = '/o'\n", "4:10: hooks.web.folder: stands beside url: a hook has one of them"),
        ("[hooks.h]\nurl = 'ftp://example.org'\n", "2:7: hooks.h.url: 'ftp://example.org' is not a URL of a web server: write an http or https URL, as in \"https://example.org/ndfd\""),
        ("[hooks.h]\nurl = 'https://u:p@example.org'\n", "2:7: hooks.h.url: a user or a password in a URL would be shown with it: deliveries are signed instead"),
        ("[hooks.h]\nurl = 'https://example.org:99999'\n", "2:7: hooks.h.url: 'https://example.org:99999' is not a URL of a web server: write an http or https URL, as in \"https://example.org/ndfd\""),
        ("[hooks.h]\nfolder = '/o'\nevents = ['done']\n", "3:10: hooks.h.events: 'done' is none of succeeded, failed, quarantined, cancelled"),
        ("[hooks.h]\nfolder = '/o'\nlabels = ['x']\n", "3:10: hooks.h.labels: 'x' is not a label: write it as in \"project=apollo\""),
    ],
)  # fmt: skip
def test_a_mistake_is_named_once_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    assert mistakes(tmp_path, text) == [said]


@pytest.mark.parametrize(
    "text",
    [
        "[watch.a]\npath = '/a'\noutput = '/a'\n",
        "[watch.a]\npath = '/a'\nrecursive = true\non_success = 'move'\n",
        "[watch.a]\npath = '/a'\n[watch.b]\npath = '/a/b'\nrecursive = true\n",
        "[watch.a]\npath = '/a'\non_success = 'move'\ndone = '/b'\n[watch.b]\npath = '/b'\nformat = 'json'\n",
        "[watch.a]\npath = '/ab'\n[watch.b]\npath = '/a'\nrecursive = true\n",
        "[watch]\n",
        "watch = []\n",
    ],
)
def test_what_does_no_harm_is_taken(tmp_path: Path, text: str) -> None:
    assert mistakes(tmp_path, text) == []


def test_mistakes_of_an_array_are_named_beside_those_of_its_syntax(tmp_path: Path) -> None:
    text = '[[watch]]\nname = "a"\nformt = "json"\npath = \n[[watch]]\nname = "b"\npath = "/b"\nsettle = "soon"\n'
    found = mistakes(tmp_path, text)
    assert [said[: len(start)] for said, start in zip(found, STARTS, strict=True)] == list(STARTS)
