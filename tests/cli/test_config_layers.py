"""`ndfd config show --origin` and `explain`, as layers are removed one by one."""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ndfd.cli import main
from ndfd.config.keys import KEYS
from tests.config.scene import LAYERS, Scene

#: A value of its own for each layer that can set the key.
_VALUES = {
    "swarm.workers": {layer: number for number, layer in enumerate(LAYERS, 2) if layer != "credential"},
    "document.max_deadline": {
        layer: f"{number}h" for number, layer in enumerate(LAYERS, 2) if layer not in ("alias", "credential")
    },
    "security.token": {layer: f"the-token-of-{layer}" for layer in LAYERS if layer not in ("alias", "flag")},
}


def show(scene: Scene, *arguments: str) -> str:
    """What the command prints for a process that starts in the scene."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as out:
        for name, value in scene.environment().items():
            patch.setenv(name, value)
        patch.delenv("XDG_CONFIG_HOME", raising=False)
        patch.chdir(scene.root / "here")
        flags = [each for flag in scene.flags() for each in ("--set", flag)]
        assert main(["config", *arguments, scene.key, *flags]) == 0
    return out.getvalue()


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_show_names_the_winner_at_each_level_as_layers_are_removed(data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(_VALUES)))
    removals = data.draw(st.permutations(sorted(_VALUES[key])))
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), key, dict(_VALUES[key]))
        for removal in (None, *removals):
            scene.values.pop(removal, None)  # type: ignore[call-overload]
            scene.write()
            winner = next((layer for layer in reversed(LAYERS) if layer in scene.values), "default")
            shown = show(scene, "show", "--origin")
            assert re.search(rf"# {re.escape(scene.origin(winner))}$", shown, re.MULTILINE), (winner, shown)
            if winner != "default" and not KEYS[key].kind.secret:
                value = scene.values[winner]
                assert f" = {value} " in shown or f' = "{value}" ' in shown
            assert "the-token-of" not in shown


def test_explain_names_all_that_the_winner_shadows_in_their_order(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "swarm.workers", dict(_VALUES["swarm.workers"]))
    scene.write()
    shown = show(scene, "explain")
    layers = [layer for layer in reversed(LAYERS) if layer in scene.values]
    places = [shown.index(scene.origin(layer)) for layer in layers]
    assert places == sorted(places)
