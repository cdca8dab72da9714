"""A machine's configuration in folders of a test: every layer there is, each of them written or taken away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ndfd.config.context import Context
from ndfd.config.kind import literal

#: Weakest first. "default" cannot be taken away.
FILES = ("config.toml", "conf.d/10-first.toml", "conf.d/20-second.toml", "config.development.toml")
LAYERS = (*FILES, "user", "local", "alias", "variable", "flag", "credential")


@dataclass
class Scene:
    """Holds what each layer says of one key, by the name of the layer."""

    root: Path
    key: str
    #: Layer -> the value as TOML has it: a string, a number, …
    values: dict[str, str | int | bool] = field(default_factory=dict)
    env: str = "development"

    @property
    def group_and_name(self) -> tuple[str, str]:
        """Of the key."""
        group, _, name = self.key.rpartition(".")
        return group, name

    def path(self, layer: str) -> Path:
        """The file of a layer."""
        places = {"user": "home/.config/ndfd/config.toml", "local": "here/ndfd.toml", "credential": f"creds/{self.key}"}
        return self.root / places.get(layer, f"etc/{layer}")

    def write(self) -> None:
        """Makes the files as `values` says, and removes the others."""
        group, name = self.group_and_name
        (self.root / "here").mkdir(exist_ok=True)
        for layer in (*FILES, "user", "local", "credential"):
            path = self.path(layer)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if layer in self.values:
                value = self.values[layer]
                text = str(value) if layer == "credential" else f"# {layer}\n[{group}]\n  {name} = {literal(value)}\n"
                path.write_text(text)
                path.chmod(0o600)

    def environment(self) -> dict[str, str]:
        """The variables of the process."""
        group, name = self.group_and_name
        names = {
            "variable": f"NDFD_{group}__{name}".replace(".", "__").upper(),
            "alias": {"swarm.workers": "NEURALDOCFLOW_WORKERS", "runtime.max_memory": "NEURALDOCFLOW_MEMORY_LIMIT"}.get(
                self.key, ""
            ),
        }
        given = {names[layer]: str(self.values[layer]) for layer in names if layer in self.values}
        return {
            **given,
            "HOME": str(self.root / "home"),
            "NDFD_ENV": self.env,
            "NDFD_CONFIG_DIR": str(self.root / "etc"),
            "CREDENTIALS_DIRECTORY": str(self.root / "creds"),
        }

    def flags(self) -> tuple[str, ...]:
        """The values of --set."""
        return (f"{self.key}={self.values['flag']}",) if "flag" in self.values else ()

    def origin(self, layer: str) -> str:
        """How the layer is named as an origin."""
        if layer == "default":
            return "built-in default"
        if layer == "flag":
            return f"--set {self.key}"
        if layer in ("alias", "variable"):
            (name,) = [
                name for name in self.environment() if name.startswith(("NDFD_", "NEURAL")) and self._is(name, layer)
            ]
            return name
        if layer == "credential":
            return str(self.path(layer))
        # The comment, the header, then the key after two spaces: the value stands behind " = ".
        return f"{self.path(layer)}:3:{len(self.group_and_name[1]) + 6}"

    def _is(self, name: str, layer: str) -> bool:
        return name.startswith("NEURAL") if layer == "alias" else "__" in name

    def context(self) -> Context:
        """As a process would find it that was started in `here`."""
        return context(self.root, self.environment(), self.flags())


def context(root: Path, environment: Mapping[str, str] | None = None, flags: tuple[str, ...] = ()) -> Context:
    """A context whose places all lie under `root`."""
    return Context(
        environment=dict(environment or {}),
        flags=flags,
        system_dir=root / "etc",
        user_file=root / "home/.config/ndfd/config.toml",
        local_file=root / "here/ndfd.toml",
        credentials_dir=root / "creds",
        env="development",
    )
