"""The keys of a watch folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import model_validator

from ndfd.config import kinds
from ndfd.config.delivery_kinds import HookNames, Pattern
from ndfd.config.group import Group, key, rule
from ndfd.config.pool_kinds import Member
from ndfd.config.watch_conflicts import WatchedFolder
from ndfd.model.conversion import OutputFormat
from ndfd.model.jobs import PRIORITY_MAX, PRIORITY_MIN
from ndfd.model.pools import DEFAULT_POOL

#: What becomes of a file whose result is in place.
ON_SUCCESS = ("keep", "move", "delete")


class WatchSettings(Group):
    """A folder whose files are converted as they come, each exactly once; also written as [[watch]] with a key called
    name. A file that is replaced or changed is a new one. Links, hidden files and temporary ones (.part, .tmp,
    .crdownload, ~) are left alone. The jobs are the daemon's own user's and have the label watch=NAME. In the name of
    a variable, _ stands for each - of the watch's."""

    path: Annotated[Path | None, kinds.FilePath()] = key(None, "The folder; it has to be there.", example="/srv/inbox")
    pattern: Annotated[str, Pattern()] = key("*.pdf", "What the names of the files that are taken are like.")
    recursive: Annotated[bool, kinds.Flag()] = key(
        False, "Take the files of the folders in it as well, but not those of output and done."
    )
    format: Annotated[OutputFormat, Member(OutputFormat)] = key(OutputFormat.MARKDOWN, "The rendering of the results.")
    output: Annotated[Path | None, kinds.FilePath()] = key(
        None,
        'Folder of the results; left out, "results" in the folder itself, made when it is needed: beside the '
        "documents results could be taken for some that are still to come. A file that is there is never replaced: "
        "another result for its name has the job's number in it. For a document that cannot be converted "
        "NAME.error.txt says why.",
        example="/srv/inbox/results",
    )
    on_success: Annotated[Literal["keep", "move", "delete"], kinds.Choice(ON_SUCCESS)] = key(
        "keep",
        "What becomes of a document once its result is in place, on the disk: it stays, or it is moved to done, or "
        "it is deleted. One that has been changed since then, or could not be converted, always stays.",
    )
    done: Annotated[Path | None, kinds.FilePath()] = key(
        None,
        'Folder for converted documents when on_success = "move"; left out, "done" in the folder itself, made '
        "when it is needed.",
        example="/srv/inbox/done",
    )
    settle: Annotated[float, kinds.Duration(0.1, 86400.0)] = key(
        2.0,
        "Time for which a file has to be as it is, in size and time of change, before it is taken. Where the system "
        "tells that a program still has it open for writing, it is left alone for longer.",
    )
    pool: Annotated[str | None, kinds.Text()] = key(
        None, "Pool of workers that does it; left out, the default one.", example=DEFAULT_POOL
    )
    priority: Annotated[int, kinds.Number(PRIORITY_MIN, PRIORITY_MAX)] = key(
        0, "How the jobs stand against others: each step counts as much as a minute of waiting."
    )
    hooks: Annotated[tuple[str, ...] | Literal["all"], HookNames()] = key(
        "all",
        'Hooks that may be told of the jobs: "all" that would be of any other job of theirs, or only these of them.',
    )

    @model_validator(mode="after")
    def _path_is_there(self) -> WatchSettings:
        if self.path is None:
            raise rule("is needed: the folder that is to be watched", "path")
        return self

    def folder(self) -> WatchedFolder:
        """What it reads and writes."""
        assert self.path is not None
        done = self.finished if self.on_success == "move" else None
        return WatchedFolder(self.path, self.pattern, self.recursive, self.format.suffix, self.results, done)

    @property
    def results(self) -> Path:
        """Where results go."""
        assert self.path is not None
        return self.path / "results" if self.output is None else self.output

    @property
    def finished(self) -> Path:
        """Where converted documents go, if they are moved."""
        assert self.path is not None
        return self.path / "done" if self.done is None else self.done
