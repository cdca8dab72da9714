"""The durable steps of a job's life, by name: where crash tests end the daemon, to show that nothing is lost there."""

from __future__ import annotations

import enum


class Step(enum.StrEnum):
    """One step is behind. In the order in which a job passes them."""

    #: The document is in a file without a name.
    STAGED = "staged"
    DOCUMENT_SYNCED = "document_synced"
    DOCUMENT_LINKED = "document_linked"
    FOLDER_SYNCED = "folder_synced"
    #: The rows are written, not committed.
    SUBMIT_WRITTEN = "submit_written"
    #: Committed, not yet acknowledged.
    SUBMITTED = "submitted"
    #: Committed; no worker has it yet.
    LEASED = "leased"
    #: A result is there, and nothing of it on the disk. Told by whoever ran it.
    RUN_ENDED = "run_ended"
    RESULT_STAGED = "result_staged"
    RESULT_SYNCED = "result_synced"
    RESULT_LINKED = "result_linked"
    RESULT_FOLDER_SYNCED = "result_folder_synced"
    PUBLISH_WRITTEN = "publish_written"
    PUBLISHED = "published"
    #: The rest are committed.
    CANCELLED = "cancelled"
    RETRIED = "retried"
    FORGOTTEN = "forgotten"
    #: The files of forgotten jobs are gone.
    UNLINKED = "unlinked"
    EXPIRED = "expired"
