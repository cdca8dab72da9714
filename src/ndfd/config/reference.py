"""The reference of the keys as text, as Markdown and as a sample file: all made from `ndfd.config.keys`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby

from ndfd.config.environment import ALIASES
from ndfd.config.keys import ANY_NAME, GROUPS, Key, meaning_of
from ndfd.config.precedence import LAYERS, numbered
from ndfd.model.configuration import Effect

#: Columns of a terminal, and of what is read in an editor.
WIDTH = 88

#: Where the sample file says that files lie; the folder of the machine's configuration.
_SAMPLE_FOLDER = "/etc/ndfd"
#: What the sample file calls a table whose name is the operator's.
_SAMPLE_NAME = "bulk"

_SAMPLE_HEAD = (
    f"The configuration of ndfd: a sample of {_SAMPLE_FOLDER}/config.toml. Every key stands here with its default, "
    "without effect: to set one, remove the # in front of it and write your value."
)
_SAMPLE_RELOAD = (
    "A reload never disturbs a conversion that runs. Most keys hold at once, for every request that begins after it; "
    "some need new workers, and the old ones end with what they do; a few hold only after a restart."
)

#: What a reload does with a changed key.
EFFECTS = {
    Effect.AT_ONCE: "at once",
    Effect.NEW_WORKERS: "with new workers",
    Effect.RESTART: "only with a restart",
    Effect.TUNE: "for the next `ndfd tune apply`",
}
_EXPLAINED = {
    Effect.AT_ONCE: "for every request that begins after the reload",
    Effect.NEW_WORKERS: "the old ones end when their conversions have ended",
    Effect.RESTART: "until the daemon is restarted the old value holds",
    Effect.TUNE: "the daemon does not use it",
}


def aliases(key: Key) -> tuple[str, ...]:
    """The weaker variables, those of NeuralDocFlow as a whole, that set the key too."""
    return tuple(name for name, path in ALIASES.items() if path == key.path)


def shown_default(key: Key) -> str:
    """The default as a TOML literal, "not set", or "as" another key."""
    if key.fallback is not None:
        return f"as {key.fallback}"
    return "not set" if key.default_text is None else key.default_text


def facts(key: Key) -> Iterator[tuple[str, str]]:
    """Label and text of what there is to know of a key beside its default and its meaning."""
    yield "accepts", key.kind.accepts()
    if key.kind.unit:
        yield "unit", f"{key.kind.unit}, where a number has none"
    if key.file_name is not None:
        yield "from a file", f"{key.file_name} = the absolute path of a file that holds it"
        yield "credential", f"{key.path}, in $CREDENTIALS_DIRECTORY"
    yield "variable", " or ".join((key.variable, *aliases(key)))
    yield "reload", f"{EFFECTS[key.effect]}: {_EXPLAINED[key.effect]}"


def text(keys: Iterable[Key]) -> str:
    """For a terminal."""
    lines: list[str] = []
    for group, members in _by_group(keys):
        lines += [f"[{group}]  {meaning_of(group)}", ""]
        for key in members:
            lines.append(f"{key.path}  [{shown_default(key)}]")
            lines += wrapped(key.meaning, "    ")
            for label, fact in facts(key):
                lines += wrapped(f"{label + ':':<13}{fact}", "    ", hang=13)
            lines.append("")
    return _joined(lines)


def markdown(keys: Iterable[Key]) -> str:
    """For a document: a heading for each group and each key."""
    lines = [
        "# The configuration of ndfd",
        "",
        "A key that is set in more than one place has the value of the last of these:",
        "",
    ]
    lines += [f"{number}. {_code(name)}: {when}" for number, (name, when) in enumerate(LAYERS, start=1)]
    lines.append("")
    for group, members in _by_group(keys):
        lines += [f"## [{group}]", "", meaning_of(group), ""]
        for key in members:
            lines += [f"### {key.path}", "", key.meaning, ""]
            default = _code(key.default_text) if key.default_text and key.fallback is None else shown_default(key)
            lines.append(f"- default: {default}")
            lines += [f"- {label}: {_marked(label, fact)}" for label, fact in facts(key)]
            lines.append("")
    return _joined(lines)


def sample(keys: Iterable[Key]) -> str:
    """A configuration file that changes nothing: every key is a comment that holds its default."""
    lines = [
        *wrapped(_SAMPLE_HEAD, "# "),
        "#",
        "#   ndfd config check            names every mistake, with its line",
        "#   ndfd config show --origin    shows the values that hold, and where each was written",
        "#   ndfd reload                  has the running daemon take them",
        "#",
        *wrapped(_SAMPLE_RELOAD, "# "),
        "#",
        "# A key that is set in more than one place has the value of the last of these:",
        *(f"# {line}" for line in numbered()),
        "",
    ]
    for group, members in _by_group(keys):
        # A table of a family would be declared by its header alone.
        header = f"[{group}]" if group in GROUPS else f"#[{group.replace(ANY_NAME, _SAMPLE_NAME)}]"
        lines += [*wrapped(meaning_of(group), "# "), header, ""]
        for key in members:
            lines += wrapped(key.meaning, "# ")
            unit = f"; a bare number counts {key.kind.unit}" if key.kind.unit else ""
            unset = "" if key.default_text else " Not set by default."
            unset = unset if key.fallback is None else f" Left out: {shown_default(key)}."
            lines += wrapped(f"Accepts {key.kind.accepts()}{unit}.{unset} Reload: {EFFECTS[key.effect]}.", "# ")
            lines += [_sample_line(key), ""]
    return _joined(lines)


def wrapped(paragraph: str, indent: str, *, hang: int = 0, width: int = WIDTH) -> list[str]:
    """The paragraph in lines that begin with `indent`, all but the first further in by `hang` columns."""
    return textwrap.wrap(
        paragraph,
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sample_line(key: Key) -> str:
    if key.default_text is not None:
        return f"#{key.name} = {key.default_text}"
    if key.example is not None:
        return f"#{key.name} = {key.example}"
    # A file that the daemon's user alone may read keeps a secret better than this one, which everybody may read.
    name = key.name if key.file_name is None else key.file_name
    return f'#{name} = "{_SAMPLE_FOLDER}/{key.name}"'


def _by_group(keys: Iterable[Key]) -> Iterator[tuple[str, Iterator[Key]]]:
    return groupby(keys, key=lambda key: key.group)


def _code(words: str) -> str:
    return f"`{words}`"


def _marked(label: str, fact: str) -> str:
    return " or ".join(map(_code, fact.split(" or "))) if label == "variable" else fact


def _joined(lines: list[str]) -> str:
    return "\n".join(lines).rstrip("\n") + "\n"
