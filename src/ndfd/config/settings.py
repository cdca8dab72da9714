"""Every key of the configuration, once: its kind, its default, what it means and what a reload does with it.

`ndfd config reference` and the sample file are made from this file (`ndfd.config.keys`); nothing else says a key again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ndfd.config import kinds
from ndfd.config.delivery_kinds import TableName
from ndfd.config.group import Group as _Group
from ndfd.config.group import fallbacks
from ndfd.config.group import key as _key
from ndfd.config.group import rule as _rule
from ndfd.config.hook_settings import HookSettings
from ndfd.config.job_settings import JobsSettings, StorageSettings
from ndfd.config.kinds import Address, Share
from ndfd.config.pool_kinds import PoolName
from ndfd.config.pool_settings import (
    IDLE_TIMEOUT_S,
    WORKER_MEMORY_BYTES,
    Cpus,
    IdleTimeout,
    MinWorkers,
    PoolAffinity,
    PoolIoPriority,
    PoolPriority,
    PoolScheduling,
    PoolSettings,
    WorkerMemory,
    Workers,
    check_bounds,
)
from ndfd.config.tuning_settings import TuningSettings
from ndfd.config.watch_conflicts import conflicts
from ndfd.config.watch_settings import WatchSettings
from ndfd.model.configuration import Effect
from ndfd.model.measures import MEASURES
from ndfd.model.pools import DEFAULT_POOL, Priority
from ndfd.model.sections import PAGES_MAX, SECTION_PAGES

#: Shorter ones can be guessed over a network.
_TOKEN_MIN_CHARACTERS = 16


class RuntimeSettings(_Group):
    """The daemon's process as a whole."""

    thread_pool_size: Annotated[int, kinds.Number(1, 256)] = _key(
        4,
        "Threads of the daemon for work that blocks, such as reading its own files. Documents are converted in worker "
        "processes, so a few threads are enough.",
        Effect.RESTART,
    )
    max_memory: Annotated[
        int | Share | Literal["unlimited"], kinds.Size(256 * 1000**2, words=("unlimited",), share=True)
    ] = _key(
        "unlimited",
        "Memory that the workers of all pools together may take, each with the whole of its own limit. Pools with an "
        "automatic number of workers share what the others leave; fixed numbers that do not fit are refused.",
    )
    timer_slack_ns: Annotated[int | Literal["auto"], kinds.Number(1, 1_000_000_000, words=("auto",))] = _key(
        "auto",
        "Nanoseconds by which the kernel may put off timers of the daemon and its workers to save interrupts; it takes "
        '50000 by itself. "auto" leaves it.',
        Effect.NEW_WORKERS,
    )
    drain_timeout: Annotated[float, kinds.Duration(0.0, 86400.0)] = _key(
        30.0,
        "Time that what runs gets to its end after SIGTERM. The service manager is asked to wait as long.",
    )
    lock_memory: Annotated[bool, kinds.Flag()] = _key(
        False,
        "Keep the daemon's own memory out of swap, so that it answers, and ends what has to end, while the machine has "
        "no memory left. It needs CAP_IPC_LOCK, or LimitMEMLOCK= of systemd. Workers are never locked.",
    )


class SwarmSettings(_Group):
    """The worker processes and the queue before them. All but the queue is of the pool that is called "default"."""

    workers: Workers = _key(
        "auto",
        'Worker processes. "auto" is one for each CPU that they may use, since a conversion keeps one busy.',
    )
    min_workers: MinWorkers = _key(
        "all",
        'Worker processes that are kept when there is nothing to do: "all" of them, so that none has to be started '
        "first; with 0 an idle daemon has none.",
    )
    idle_timeout: IdleTimeout = _key(IDLE_TIMEOUT_S, "Time without work after which a worker above min_workers ends.")
    worker_memory: WorkerMemory = _key(
        WORKER_MEMORY_BYTES,
        "Address space of one worker. 4 GB holds the largest document that is taken twice, and stops a bomb before it "
        "drives the machine into swap.",
        Effect.NEW_WORKERS,
    )
    worker_cpu: Annotated[float | Literal["unlimited"], kinds.Duration(1.0, words=("unlimited",))] = _key(
        600.0,
        "CPU time of one conversion, after which it is ended. A manual of 5,000 pages takes a minute; the deadline "
        "alone would let a document that spins keep a CPU for as long as its caller may ask for.",
    )
    cpus: Cpus = _key(
        "all", 'CPUs that workers may run on. "all": those that the daemon itself may use.', Effect.NEW_WORKERS
    )
    priority: PoolPriority = _key(
        Priority.NORMAL,
        "How workers stand against others when CPUs are short. To the daemon's own nice value low adds 10 and normal "
        "nothing; high takes 5 away, where the daemon may do that (CAP_SYS_NICE, or LimitNICE= of systemd).",
        Effect.NEW_WORKERS,
    )
    affinity: PoolAffinity = _key(
        "auto",
        'How workers are bound to CPUs: "worker" gives each one of its own, physical cores before SMT siblings; "pool" '
        "lets them share as few memory nodes, and as fast cores, as do for all of them. "
        '"auto" is "worker" with the preset latency of [tuning] as long as there are no more workers '
        'than CPUs; else "off": the kernel moves them out of others\' way.',
        Effect.NEW_WORKERS,
    )
    scheduling: PoolScheduling = _key(
        "auto",
        'The kernel\'s scheduling policy for workers: "batch" interrupts others less, "idle" takes only what nobody '
        'else wants; "fifo" and "rr" go before everybody else on the machine, where the daemon may do that '
        '(CAP_SYS_NICE, or LimitRTPRIO= of systemd). "auto" leaves it as the daemon has it.',
        Effect.NEW_WORKERS,
    )
    io_priority: PoolIoPriority = _key(
        "auto",
        "How workers stand against others at a disk whose scheduler looks at that (bfq, mq-deadline). "
        '"auto": it follows priority.',
        Effect.NEW_WORKERS,
    )
    jobs_per_worker: Annotated[int, kinds.Number(1)] = _key(
        500,
        "Conversions after which a worker is replaced: often enough that what a parser leaks stays small, seldom "
        "enough that the fork, a few milliseconds, does not show.",
    )
    shard_pages: Annotated[int | Literal["off"], kinds.Number(SECTION_PAGES, PAGES_MAX, words=("off",))] = _key(
        200,
        "Pages above which a document is read by several workers at once, so that it is done sooner. They take its "
        'parts when no other conversion waits. "off": one worker reads each document.',
    )
    huge_pages: Annotated[bool | Literal["auto"], kinds.Flag(words=("auto",))] = _key(
        "auto",
        "Whether workers ask for huge pages where the kernel leaves that to programs "
        "(/sys/kernel/mm/transparent_hugepage/enabled is madvise); false: they may not even have those that the kernel "
        'gives to all. "auto" leaves it to the kernel: no conversion was seen to gain from them.',
        Effect.NEW_WORKERS,
    )
    max_queue: Annotated[int, kinds.Number(0, 1_000_000)] = _key(
        256,
        "Conversions of all users that may wait for a worker; one more is told to try again. Each holds an open "
        "descriptor and a connection, and the usual limit of open files is 1024.",
    )
    max_per_user: Annotated[int, kinds.Number(1, 1_000_000)] = _key(
        128, "Conversions that one user may have waiting or running, so that no user can fill the queue alone."
    )
    pools: Mapping[Annotated[str, PoolName()], PoolSettings] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _left_out_as_here(cls, raw: Any) -> Any:
        """A pool's keys that no layer gives, from the group's own. Values are still as the layers have them."""
        if not isinstance(raw, dict) or "pools" not in raw:
            return raw
        given = {
            name: raw[fallback.removeprefix("swarm.")]
            for name, fallback in fallbacks(PoolSettings).items()
            if fallback.removeprefix("swarm.") in raw
        }
        return {**raw, "pools": {name: {**given, **pool} for name, pool in raw["pools"].items()}}

    @model_validator(mode="after")
    def _min_within_max(self) -> SwarmSettings:
        check_bounds(self, "min_workers", "workers")
        return self

    def every_pool(self) -> dict[str, PoolSettings]:
        """By name, the default one first, the others in the order of their names."""
        own = {name: getattr(self, key.removeprefix("swarm.")) for name, key in fallbacks(PoolSettings).items()}
        return {DEFAULT_POOL: PoolSettings.model_construct(**own), **dict(sorted(self.pools.items()))}


class SandboxSettings(_Group):
    """What keeps a document from hurting the machine and other users' documents."""

    reuse: Annotated[Literal["uid", "never", "any"], kinds.Choice(("uid", "never", "any"))] = _key(
        "uid",
        'Which further documents a worker may see that has seen one user\'s: "uid" those of the same user, "never" '
        'none, "any" anybody\'s, so that a document that takes a worker over could read those of other users.',
    )
    allow: Annotated[frozenset[str], kinds.Choices(MEASURES)] = _key(
        frozenset(),
        "Measures of confinement that this host may lack. Where any other is missing no worker is started.",
        Effect.NEW_WORKERS,
    )


class NetworkSettings(_Group):
    """Where programs reach the daemon."""

    socket_dir: Annotated[Path | Literal["auto"], kinds.FilePath(words=("auto",))] = _key(
        "auto",
        'Folder of the daemon\'s sockets and lock. "auto": where the service manager listens for it; else /run/ndfd '
        "for root, ndfd in the user's runtime folder ($XDG_RUNTIME_DIR) otherwise.",
        Effect.RESTART,
    )
    socket_mode: Annotated[int, kinds.Mode()] = _key(
        0o660,
        "Permission bits of the sockets. The default lets the daemon's user and group in; what each user may do is "
        "decided by the user's identity, not by these bits. Sockets of the service manager have those of its unit.",
    )
    bind_address: Annotated[Address | Literal["off"], kinds.BindAddress()] = _key(
        "off",
        "Address and port on which the HTTP door also listens. Every request there must show [security] token; beyond "
        "this machine (any address but 127.0.0.0/8 and ::1) TLS is needed as well.",
    )
    tls_certificate: Annotated[Path | None, kinds.FilePath()] = _key(
        None, "File with the certificate for bind_address and the chain behind it, in PEM."
    )
    tls_key: Annotated[Path | None, kinds.FilePath()] = _key(
        None, "File with the certificate's private key, in PEM and without a password."
    )
    max_connections: Annotated[int, kinds.Number(1, 65536)] = _key(
        512, "Connections that each door keeps open. An idle one costs a descriptor and some 10 KiB."
    )
    max_connections_per_user: Annotated[int, kinds.Number(1, 65536)] = _key(
        128, "Those that one user may have, so that no user can keep all others out. Not of those from the network."
    )
    stall_timeout: Annotated[float, kinds.Duration(0.1, 3600.0)] = _key(
        30.0, "A peer that leaves a message unfinished, or an answer unread, is cut off after this time."
    )

    @model_validator(mode="after")
    def _open_only_behind_tls(self) -> NetworkSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise _rule("tls_certificate and tls_key go together: one of them is not set", "tls_certificate", "tls_key")
        if self.bind_address != "off" and not self.bind_address.is_loopback() and self.tls_certificate is None:
            raise _rule(
                "beyond this machine TLS is needed: set tls_certificate and tls_key, or bind to 127.0.0.1",
                "bind_address",
            )
        return self


class SecuritySettings(_Group):
    """Who may do what."""

    token: Annotated[SecretStr | None, kinds.Secret(_TOKEN_MIN_CHARACTERS)] = _key(
        None, "What a program that comes over [network] bind_address must show (Authorization: Bearer TOKEN)."
    )
    admins: Annotated[tuple[str | int, ...], kinds.Names()] = _key(
        (),
        "Users who, like root and the daemon's own user, may reload the configuration and read where each value of it "
        "comes from.",
    )


class DocumentSettings(_Group):
    """What one document may be and take."""

    max_size: Annotated[int, kinds.Size(1, 2**31 - 1)] = _key(
        2 * 1000**3,
        "Size of one document: the engine addresses documents with 32 bits, of which the sign is not usable.",
    )
    default_deadline: Annotated[float, kinds.Duration()] = _key(
        300.0, "Time for a conversion whose caller names none: a manual of 5,000 pages takes about a minute."
    )
    max_deadline: Annotated[float, kinds.Duration()] = _key(3600.0, "Time that a caller may ask for at most.")
    fallback_font_dirs: Annotated[tuple[Path, ...], kinds.FilePaths()] = _key(
        (),
        "Folders with fonts for Chinese, Japanese and Korean text whose font is not embedded. Empty: the usual folders "
        "of the system are searched.",
        Effect.NEW_WORKERS,
    )

    @model_validator(mode="after")
    def _default_within_maximum(self) -> DocumentSettings:
        if self.default_deadline > self.max_deadline:
            raise _rule(
                f"default_deadline ({self.default_deadline:g} s) is above max_deadline ({self.max_deadline:g} s)",
                "default_deadline",
                "max_deadline",
            )
        return self


class LoggingSettings(_Group):
    """The daemon's log."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], kinds.Choice(("debug", "info", "warning", "error"))
    ] = _key("info", "The least serious event that is written.")
    format: Annotated[Literal["auto", "console", "json"], kinds.Choice(("auto", "console", "json"))] = _key(
        "auto",
        '"console" is for people, "json" one object a line for programs; "auto" is console on a terminal and json '
        "elsewhere. The journal has a form of its own.",
    )
    output: Annotated[Path | Literal["stderr", "journal"], kinds.FilePath(words=("stderr", "journal"))] = _key(
        "stderr",
        '"stderr", which a service manager keeps, a file, or "journal": systemd\'s, which gets each field of a record '
        'as one of its own. Where stderr is the journal\'s stream and format is "auto", "stderr" is "journal".',
    )
    rotate_size: Annotated[int | Literal["never"], kinds.Size(1000, words=("never",))] = _key(
        100 * 1000**2, "Size at which a log file is renamed and a new one begun."
    )
    rotate_keep: Annotated[int, kinds.Number(1, 1000)] = _key(
        5, "Renamed log files that are kept, as FILE.1 to FILE.N; the oldest is removed."
    )


class MetricsSettings(_Group):
    """What the daemon tells Prometheus."""

    enabled: Annotated[bool, kinds.Flag()] = _key(True, "Whether the HTTP door answers GET /metrics.")


class DevelopmentSettings(_Group):
    """What helps those who work on a configuration or on ndfd itself."""

    hot_reload: Annotated[bool, kinds.Flag()] = _key(
        False, "Reload when a file of the configuration changes; a change that cannot be used is logged and left out."
    )
    debug_mode: Annotated[bool, kinds.Flag()] = _key(
        False, "Log what blocks the event loop for more than 100 ms, and more about errors. Slows every request down."
    )


class Settings(BaseSettings):
    """All groups. Handed out group by group: nothing but the composition root holds this object."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    runtime: RuntimeSettings = RuntimeSettings()
    swarm: SwarmSettings = SwarmSettings()
    sandbox: SandboxSettings = SandboxSettings()
    network: NetworkSettings = NetworkSettings()
    security: SecuritySettings = SecuritySettings()
    document: DocumentSettings = DocumentSettings()
    jobs: JobsSettings = JobsSettings()
    storage: StorageSettings = StorageSettings()
    logging: LoggingSettings = LoggingSettings()
    metrics: MetricsSettings = MetricsSettings()
    tuning: TuningSettings = TuningSettings()
    development: DevelopmentSettings = DevelopmentSettings()
    hooks: Mapping[Annotated[str, TableName("a hook")], HookSettings] = Field(default_factory=dict)
    watch: Mapping[Annotated[str, TableName("a watch")], WatchSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _network_behind_a_token(self) -> Settings:
        if self.network.bind_address != "off" and self.security.token is None:
            raise _rule(
                "whoever listens on the network needs a token: set [security] token_file",
                "network.bind_address",
            )
        return self

    @model_validator(mode="after")
    def _watches_fit_together(self) -> Settings:
        for name, watch in self.watch.items():
            if watch.pool is not None and watch.pool != DEFAULT_POOL and watch.pool not in self.swarm.pools:
                raise _rule(f"there is no pool {watch.pool!r}: declare [swarm.pools.NAME]", f"watch.{name}.pool")
            for hook in () if watch.hooks == "all" else watch.hooks:
                if hook not in self.hooks:
                    raise _rule(f"there is no hook {hook!r}: declare [hooks.{hook}]", f"watch.{name}.hooks")
        folders = {name: hook.folder for name, hook in self.hooks.items() if hook.folder is not None}
        for message, key in conflicts({name: watch.folder() for name, watch in self.watch.items()}, folders):
            raise _rule(message, key)
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """None of pydantic's own sources: they do not know where a value was written. `ndfd.config.load` has ours."""
        return (init_settings,)
