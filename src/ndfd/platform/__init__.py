"""What ndfd asks of the operating system, under the same names on each; `base.Platform` says what each promises."""

from __future__ import annotations

import sys

from ndfd.platform.base import WORKER_CHANNEL_FD, Peer, Pressure, WorkerLimits
from ndfd.platform.channel import Channel, Message
from ndfd.platform.folders import ConfigDirs, SocketDirs, StateDirs
from ndfd.platform.local_listener import LocalListener
from ndfd.platform.service_manager import PassedDescriptor, ServiceManager

if sys.platform == "linux":
    from ndfd.platform.linux import Linux as _Host
    from ndfd.platform.linux_files import LinuxFiles as _Files
    from ndfd.platform.linux_folder_events import LinuxFolderEvents as FolderEvents
    from ndfd.platform.linux_journal import LinuxJournal as Journal
    from ndfd.platform.linux_kernel import LinuxKernelFiles as KernelFiles
    from ndfd.platform.linux_process import LinuxProcess as _Process
    from ndfd.platform.linux_resuming import LinuxResuming as _Resuming
    from ndfd.platform.linux_resuming import NotedSender
    from ndfd.platform.linux_storage import LinuxStorage as _Storage
elif sys.platform == "darwin":
    from ndfd.platform.base_kernel import KernelFiles
    from ndfd.platform.base_resuming import NotedSender
    from ndfd.platform.base_resuming import Resuming as _Resuming
    from ndfd.platform.darwin import Darwin as _Host
    from ndfd.platform.darwin_files import DarwinFiles as _Files
    from ndfd.platform.darwin_process import DarwinProcess as _Process
    from ndfd.platform.darwin_storage import DarwinStorage as _Storage
    from ndfd.platform.folder_events import FolderEvents
    from ndfd.platform.journal import Journal
elif sys.platform == "win32":
    from ndfd.platform.base_files import Files as _Files
    from ndfd.platform.base_kernel import KernelFiles
    from ndfd.platform.base_resuming import NotedSender
    from ndfd.platform.base_resuming import Resuming as _Resuming
    from ndfd.platform.folder_events import FolderEvents
    from ndfd.platform.journal import Journal
    from ndfd.platform.windows import Windows as _Host
    from ndfd.platform.windows_process import WindowsProcess as _Process
    from ndfd.platform.windows_storage import WindowsStorage as _Storage
else:
    from ndfd.platform.base import Platform as _Host
    from ndfd.platform.base_files import Files as _Files
    from ndfd.platform.base_kernel import KernelFiles
    from ndfd.platform.base_process import Process as _Process
    from ndfd.platform.base_resuming import NotedSender
    from ndfd.platform.base_resuming import Resuming as _Resuming
    from ndfd.platform.base_storage import Storage as _Storage
    from ndfd.platform.folder_events import FolderEvents
    from ndfd.platform.journal import Journal

#: What runs services on this system; None where ndfd knows of none. It need not run: a container may be without.
INIT_SYSTEM: str | None = {"linux": "systemd", "darwin": "launchd", "win32": "scm"}.get(sys.platform)

_host = _Host()
#: What is asked about files of other programs; `base_files.Files` says what each call promises.
files = _Files()
#: What a store of files asks; `base_storage.Storage` says what each call promises.
storage = _Storage()
#: What a process sets for itself; `base_process.Process` says what each call promises.
process = _Process()
#: What the process asks that goes on with another's connection; `base_resuming.Resuming` says what each call promises.
resuming = _Resuming()

socket_dirs = _host.socket_dirs
config_dirs = _host.config_dirs
file_system = _host.file_system
state_dirs = _host.state_dirs
drop_from_cache = _host.drop_from_cache
may_stall = _host.may_stall
is_system_service = _host.is_system_service
service_manager = _host.service_manager
make_socket_dir = _host.make_socket_dir
font_roots = _host.font_roots
fallback_font_dirs = _host.fallback_font_dirs
listen = _host.listen
peer_identity = _host.peer_identity
socket_cookie = _host.socket_cookie
channel_pair = _host.channel_pair
channel_from_descriptor = _host.channel_from_descriptor
memfd = _host.memfd
seal = _host.seal
is_sealed = _host.is_sealed
sealed_memfd = _host.sealed_memfd
pidfd = _host.pidfd
kill = _host.kill
reap = _host.reap
resident_bytes = _host.resident_bytes
usable_cpus = _host.usable_cpus
usable_memory = _host.usable_memory
allowed_cpus = _host.allowed_cpus
run_on_cpus = _host.run_on_cpus
pressure = _host.pressure
add_nice = _host.add_nice
user_id = _host.user_id
host = _host.host
allocator_environment = _host.allocator_environment
forget_environment = _host.forget_environment
separate_zygote = _host.separate_zygote
confine_worker = _host.confine_worker
measure_confinement = _host.measure_confinement
seen_confinement = _host.seen_confinement
process_status = _host.process_status
resident_bytes_of = _host.resident_bytes_of
system_call_name = _host.system_call_name

__all__ = [
    "INIT_SYSTEM",
    "WORKER_CHANNEL_FD",
    "Channel",
    "ConfigDirs",
    "FolderEvents",
    "Journal",
    "KernelFiles",
    "LocalListener",
    "Message",
    "NotedSender",
    "PassedDescriptor",
    "Peer",
    "Pressure",
    "ServiceManager",
    "SocketDirs",
    "StateDirs",
    "WorkerLimits",
    "add_nice",
    "allocator_environment",
    "allowed_cpus",
    "channel_from_descriptor",
    "channel_pair",
    "config_dirs",
    "confine_worker",
    "drop_from_cache",
    "fallback_font_dirs",
    "file_system",
    "files",
    "font_roots",
    "forget_environment",
    "host",
    "is_sealed",
    "is_system_service",
    "kill",
    "listen",
    "make_socket_dir",
    "may_stall",
    "measure_confinement",
    "memfd",
    "peer_identity",
    "pidfd",
    "pressure",
    "process",
    "process_status",
    "reap",
    "resident_bytes",
    "resident_bytes_of",
    "resuming",
    "run_on_cpus",
    "seal",
    "sealed_memfd",
    "seen_confinement",
    "separate_zygote",
    "service_manager",
    "socket_cookie",
    "socket_dirs",
    "state_dirs",
    "storage",
    "system_call_name",
    "usable_cpus",
    "usable_memory",
    "user_id",
]
