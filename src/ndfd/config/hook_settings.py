"""The keys of a completion hook."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import SecretStr, model_validator

from ndfd.config import kinds
from ndfd.config.delivery_kinds import Labels, Url
from ndfd.config.group import Group, key, rule
from ndfd.model.job_states import FINAL, JobState

#: The states in which a job ends, in the order of the table of states.
ENDS = tuple(state.value for state in JobState if state in FINAL)
#: HMAC-SHA256 is no stronger than its key can be guessed.
_SECRET_MIN_CHARACTERS = 16


class HookSettings(Group):
    """Who is told of the ends of jobs, each at least once: a web server, by a signed POST, or a folder, by a file. In
    the name of a variable, _ stands for each - of the hook's."""

    url: Annotated[str | None, Url()] = key(
        None,
        "Where a POST is sent for each end of a job. Its body is JSON: delivery, event and job. Ndfd-Delivery is "
        "the same each time it is tried again, so that a receiver can drop doubles. Ndfd-Signature is v1= and, in "
        "hexadecimal, the HMAC-SHA256, keyed with the secret, of the value of Ndfd-Timestamp, a full stop and the "
        'body; in Python: hmac.compare_digest(signature, "v1=" + hmac.new(secret, timestamp + b"." + body, '
        '"sha256").hexdigest()). Certificates are checked and redirections are not followed. Any status from 200 '
        "to 299 takes the delivery, 410 refuses it for good, and all else is tried again.",
        example="https://example.org/ndfd",
    )
    secret: Annotated[SecretStr | None, kinds.Secret(_SECRET_MIN_CHARACTERS)] = key(
        None, "What deliveries to url are signed with; only the daemon and the receiver know it."
    )
    folder: Annotated[Path | None, kinds.FilePath()] = key(
        None,
        "Folder, instead of url, into which each result is put, whole or not at all, under the name of its "
        "document; what is there already stays, and the later one has the job's number in its name. Of a job "
        "without a result, NAME.error.txt says why.",
        example="/srv/results",
    )
    events: Annotated[frozenset[str], kinds.Choices(ENDS)] = key(
        frozenset(ENDS), "The ends of jobs that are delivered."
    )
    users: Annotated[tuple[str | int, ...], kinds.Names()] = key(
        (), "Users whose jobs are delivered. Empty: all users' jobs."
    )
    labels: Annotated[tuple[tuple[str, str], ...], Labels()] = key(
        (), "Labels that a job must have, all of them, for its end to be delivered."
    )
    timeout: Annotated[float, kinds.Duration(0.1, 300.0)] = key(
        10.0, "Time for one delivery to url, answer included, after which it has failed."
    )
    max_attempts: Annotated[int, kinds.Number(1, 100)] = key(
        14,
        "Attempts at one delivery before it is given up, which its job then tells. The first comes 10 seconds after "
        "the one that failed, each later one after twice that time, a quarter more or less, or when the receiver "
        "says (Retry-After): 14 take about a day.",
    )

    @model_validator(mode="after")
    def _one_target(self) -> HookSettings:
        if self.url is None and self.folder is None:
            raise rule("it says nowhere to deliver to: set url or folder", "url")
        if self.url is not None and self.folder is not None:
            raise rule("stands beside url: a hook has one of them", "folder")
        if self.url is not None and self.secret is None:
            raise rule("deliveries to a url are signed: set secret_file to the path of a file with a secret", "url")
        return self
