"""Hooks and watch folders, made from their groups of the configuration. What fits this machine is judged here."""

from __future__ import annotations

import dataclasses
import errno
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ndfd import platform
from ndfd.config.load import Loaded, refusal
from ndfd.config.watch_conflicts import conflicts
from ndfd.config.watch_settings import WatchSettings
from ndfd.dispatch.hooks import Hook, ResultFolder, Webhook
from ndfd.dispatch.watches import Watch
from ndfd.model.configuration import Mistake, OriginKind
from ndfd.model.job_states import JobState

_EFFECTIVE = os.access in os.supports_effective_ids
#: What is wrong, and the path of the key to change.
_Wrong = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DeliveryPlans:
    """By name, whom to tell and what to watch."""

    hooks: Mapping[str, Hook]
    watches: Mapping[str, Watch]


def delivery_plans(loaded: Loaded) -> DeliveryPlans:
    """`ConfigError`, with the place of each mistake, for folders and users that are not as they have to be here.

    Blocks: it looks at folders, and for users in the system's databases.
    """
    settings = loaded.settings
    wrong: list[_Wrong] = []
    hooks: dict[str, Hook] = {}
    for name, hook in settings.hooks.items():
        uids = set()
        for user in hook.users:
            try:
                uids.add(platform.user_id(user) if isinstance(user, str) else user)
            except KeyError:
                wrong.append((f"there is no user {user!r} on this machine", f"hooks.{name}.users"))
        if hook.url is not None:
            assert hook.secret is not None
            to: Webhook | ResultFolder = Webhook(hook.url, hook.secret.get_secret_value().encode(), hook.timeout)
        else:
            assert hook.folder is not None
            wrong += _bad_folder(hook.folder, f"hooks.{name}.folder", write=True)
            to = ResultFolder(hook.folder)
        events = frozenset(map(JobState, hook.events))
        hooks[name] = Hook(to, events, frozenset(uids), hook.labels, hook.max_attempts)
    for name, watch in settings.watch.items():
        wrong += _bad_watch(watch, f"watch.{name}")
    if not wrong:
        wrong += _conflicts_here(settings.watch, {name: hook.to for name, hook in hooks.items()})
    if wrong:
        raise refusal([_mistake(loaded, message, key) for message, key in wrong])
    return DeliveryPlans(hooks, {name: _watch(watch) for name, watch in settings.watch.items()})


def _watch(watch: WatchSettings) -> Watch:
    assert watch.path is not None
    return Watch(
        path=watch.path,
        pattern=watch.pattern,
        recursive=watch.recursive,
        format=watch.format,
        output=watch.results,
        on_success=watch.on_success,
        done=watch.finished,
        settle_s=watch.settle,
        pool=watch.pool,
        priority=watch.priority,
        hooks=None if watch.hooks == "all" else watch.hooks,
    )


def _bad_watch(watch: WatchSettings, table: str) -> Iterator[_Wrong]:
    assert watch.path is not None
    written = [watch.results] if watch.on_success != "move" else [watch.results, watch.finished]
    # A folder that is left out is made within the watched one.
    makes = any(each.parent == watch.path and not each.exists() for each in written)
    yield from _bad_folder(watch.path, f"{table}.path", read=True, write=makes or watch.on_success != "keep")
    if watch.output is not None or watch.results.exists():
        yield from _bad_folder(watch.results, f"{table}.output", write=True)
    if watch.on_success == "move" and (watch.done is not None or watch.finished.exists()):
        yield from _bad_folder(watch.finished, f"{table}.done", write=True)


def _bad_folder(path: Path, key: str, *, read: bool = False, write: bool = False) -> Iterator[_Wrong]:
    try:
        if not path.is_dir():
            what = "is no folder" if path.exists() else "is not there: make it, or name another"
            yield f"{path} {what}", key
            return
        # As it is opened later: not by a link that somebody else may bend.
        os.close(platform.files.open_folder(path)[0])
    except PermissionError as error:
        if error.errno == errno.EPERM:
            yield f"{path} cannot be used: {error.strerror}", key
            return
    except OSError as error:
        yield f"{path} cannot be looked at: {error.strerror}", key
        return
    for asked, mode, what in ((read, os.R_OK | os.X_OK, "read"), (write, os.W_OK | os.X_OK, "write to")):
        if asked and not os.access(path, mode, effective_ids=_EFFECTIVE):
            yield f"the daemon's user (uid {os.geteuid()}) may not {what} {path}: chown or chmod it", key


def _conflicts_here(
    watches: Mapping[str, WatchSettings], hooks: Mapping[str, Webhook | ResultFolder]
) -> Iterator[_Wrong]:
    """As the configuration has judged the paths as they are written, with every link in them resolved."""
    resolved = {}
    for name, watch in watches.items():
        folder = watch.folder()
        resolved[name] = dataclasses.replace(
            folder,
            path=folder.path.resolve(),
            output=folder.output.resolve(),
            done=None if folder.done is None else folder.done.resolve(),
        )
    yield from conflicts(
        resolved, {name: to.path.resolve() for name, to in hooks.items() if isinstance(to, ResultFolder)}
    )


def _mistake(loaded: Loaded, message: str, key: str) -> Mistake:
    """At the key, or at that of the watched folder where the key was left out."""
    origin = loaded.resolved[key].origin
    if origin.kind is OriginKind.DEFAULT:
        origin = loaded.resolved[f"{key.rpartition('.')[0]}.path"].origin
    return Mistake(origin, message, key)
