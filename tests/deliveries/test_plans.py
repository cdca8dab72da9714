"""What a configuration makes of hooks and watch folders on this machine, and what it refuses."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ndfd.config.context import Context
from ndfd.config.load import load
from ndfd.daemon.delivery_plans import DeliveryPlans, delivery_plans
from ndfd.dispatch.hooks import Hook, ResultFolder, Webhook
from ndfd.errors import ConfigError
from ndfd.model.job_states import FINAL, JobState


def plans(tmp_path: Path, text: str) -> DeliveryPlans:
    path = tmp_path / "config.toml"
    path.write_text(text.replace("ROOT", str(tmp_path)))
    path.chmod(0o600)
    return delivery_plans(load(Context({}, system_dir=tmp_path)))


def mistakes(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        plans(tmp_path, text)
    said = caught.value.details or (caught.value.message,)
    return [each.removeprefix(f"{tmp_path}/config.toml:").replace(str(tmp_path), "ROOT") for each in said]


def test_hooks_and_watches_are_as_they_are_written(tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    found = plans(
        tmp_path,
        '[hooks.web]\nurl = "https://example.org/in"\nsecret = "sixteen-characters"\nevents = ["failed"]\n'
        'users = ["root", 7]\nlabels = ["a=b"]\ntimeout = "3s"\nmax_attempts = 2\n'
        '[hooks.out]\nfolder = "ROOT/out"\n'
        '[[watch]]\nname = "w"\npath = "ROOT/in"\nhooks = ["out"]\nsettle = 5\n',
    )
    assert found.hooks == {
        "web": Hook(
            Webhook("https://example.org/in", b"sixteen-characters", 3.0),
            frozenset({JobState.FAILED}),
            frozenset({0, 7}),
            (("a", "b"),),
            2,
        ),
        "out": Hook(ResultFolder(tmp_path / "out"), FINAL),
    }
    watch = found.watches["w"]
    assert (watch.path, watch.output, watch.done) == tuple(tmp_path / each for each in ("in", "in/results", "in/done"))
    assert (watch.settle_s, watch.hooks, watch.on_success) == (5.0, ("out",), "keep")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[watch.w]\npath = "ROOT/none"\n', "2:8: watch.w.path: ROOT/none is not there: make it, or name another"),
        ('[watch.w]\npath = "ROOT/file"\n', "2:8: watch.w.path: ROOT/file is no folder"),
        ('[watch.w]\npath = "ROOT/in"\noutput = "ROOT/none"\n', "3:10: watch.w.output: ROOT/none is not there: make it, or name another"),
        ('[watch.w]\npath = "ROOT/in"\non_success = "move"\ndone = "ROOT/file"\n', "4:8: watch.w.done: ROOT/file is no folder"),
        ('[hooks.h]\nfolder = "ROOT/none"\n', "2:10: hooks.h.folder: ROOT/none is not there: make it, or name another"),
        ('[hooks.h]\nfolder = "ROOT/in"\nusers = ["nobody-called-so"]\n', "3:9: hooks.h.users: there is no user 'nobody-called-so' on this machine"),
        ('[watch.w]\npath = "ROOT/in"\noutput = "ROOT/link"\npattern = "*"\n', "3:10: watch.w.output: results would be taken for new files by watch.w: name another folder"),
        ('[watch.a]\npath = "ROOT/in"\n[watch.b]\npath = "ROOT/link"\n', "4:8: watch.b.path: files of this folder would be taken by watch.a as well"),
        ('[watch.w]\npath = "ROOT/link"\non_success = "move"\ndone = "ROOT/in"\n', "4:8: watch.w.done: converted documents would be taken again: name another folder"),
        ('[watch.w]\npath = "ROOT/in"\npattern = "*.md"\n[hooks.h]\nfolder = "ROOT/link"\n', "5:10: hooks.h.folder: results would be taken for new files by watch.w: name another folder"),
    ],
)  # fmt: skip
def test_a_folder_that_does_not_do_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert mistakes(tmp_path, text) == [said]


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    assert len(mistakes(tmp_path, '[watch.w]\npath = "ROOT/a"\noutput = "ROOT/b"\n[hooks.h]\nfolder = "ROOT/c"\n')) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody who may not")
@pytest.mark.parametrize(
    ("mode", "text", "said"),
    [
        (0o711, '[watch.w]\npath = "ROOT/in"\noutput = "ROOT/out"\n', "2:8: watch.w.path: the daemon's user (uid 65534) may not read ROOT/in: chown or chmod it"),
        (0o755, '[watch.w]\npath = "ROOT/in"\n', "2:8: watch.w.path: the daemon's user (uid 65534) may not write to ROOT/in: chown or chmod it"),
        (0o755, '[watch.w]\npath = "ROOT/in"\noutput = "ROOT/out"\non_success = "delete"\n', "2:8: watch.w.path: the daemon's user (uid 65534) may not write to ROOT/in: chown or chmod it"),
        (0o755, '[hooks.h]\nfolder = "ROOT/in"\n', "2:10: hooks.h.folder: the daemon's user (uid 65534) may not write to ROOT/in: chown or chmod it"),
        (0o755, '[watch.w]\npath = "ROOT/in"\noutput = "ROOT/out"\n', None),
    ],
)  # fmt: skip
def test_what_the_daemons_user_may_not_do_is_named(
    tmp_path: Path, mode: int, text: str, said: str | None, as_nobody: Callable[[], None]
) -> None:
    for name, its_mode in (("in", mode), ("out", 0o777)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(its_mode)
    (tmp_path / "config.toml").touch()
    os.chown(tmp_path / "config.toml", 65534, -1)
    as_nobody()
    if said is None:
        plans(tmp_path, text)
    else:
        assert mistakes(tmp_path, text) == [said]
