"""Metrics in a registry of the daemon's own; nothing is registered when a module is imported.

What is counted as it happens is counted by `Metrics`; what can be read off the daemon at any time is read when the
metrics are asked for, so that the two can never disagree.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ndfd.errors import NdfdError
from ndfd.model.conversion import ConversionReport, OutputFormat
from ndfd.model.crash import CrashReport
from ndfd.model.measures import MEASURES
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import DaemonStatus, JobsStatus, WorkerState

#: Seconds: a page takes milliseconds, a book seconds, a bomb the deadline.
_DURATION_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


#: Those of a worker that has a conversion.
_AT_WORK = (WorkerState.BUSY, WorkerState.DRAINING)


class Metrics:
    """The metrics of one daemon."""

    def __init__(self, status: Callable[[], DaemonStatus]) -> None:
        self._registry = CollectorRegistry()
        self._documents = Counter(
            "neuraldocflow_documents_processed",
            "Conversions ended, by outcome (succeeded, partial, failed) and output format.",
            ["outcome", "format"],
            registry=self._registry,
        )
        self._errors = Counter(
            "neuraldocflow_errors", "Conversions failed, by the code of the error.", ["code"], registry=self._registry
        )
        self._pages = Counter(
            "ndfd_pages_processed",
            "Pages converted, by status (ok, partial, failed).",
            ["status"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "neuraldocflow_processing_duration_seconds",
            "Time from a conversion's acceptance to its end, the wait for a worker included.",
            buckets=_DURATION_BUCKETS_S,
            registry=self._registry,
        )
        self._crashes = Counter(
            "ndfd_worker_ends",
            "Workers that a document ended, by cause (crash, timeout, memory, cpu, sandbox_violation, protocol).",
            ["cause"],
            registry=self._registry,
        )
        self._reload_successful = Gauge(
            "ndfd_config_last_reload_successful",
            "Whether the last configuration that was read could be used.",
            registry=self._registry,
        )
        self._reload_at = Gauge(
            "ndfd_config_last_reload_timestamp_seconds",
            "When a configuration was last read, whether it could be used or not.",
            registry=self._registry,
        )
        self._reload_success_at = Gauge(
            "ndfd_config_last_reload_success_timestamp_seconds",
            "When the configuration that holds was read.",
            registry=self._registry,
        )
        self.reloaded(successful=True)
        self._registry.register(_StatusCollector(status))

    def converted(self, output: OutputFormat, report: ConversionReport, duration_s: float) -> None:
        """Counts a conversion that gave a result."""
        partial = report.pages_partial + report.pages_failed > 0
        self._documents.labels("partial" if partial else "succeeded", output.value).inc()
        self._pages.labels("ok").inc(report.pages - report.pages_partial - report.pages_failed)
        self._pages.labels("partial").inc(report.pages_partial)
        self._pages.labels("failed").inc(report.pages_failed)
        self._durations.observe(duration_s)

    def crashed(self, report: CrashReport) -> None:
        """Counts a worker that a document ended."""
        self._crashes.labels(report.cause.value).inc()

    def failed(self, output: OutputFormat, error: NdfdError, duration_s: float) -> None:
        """Counts a conversion that ended in an error."""
        self._documents.labels("failed", output.value).inc()
        self._errors.labels(error.code).inc()
        self._durations.observe(duration_s)

    def reloaded(self, *, successful: bool) -> None:
        """Notes that a configuration was read just now."""
        now = time.time()
        self._reload_successful.set(successful)
        self._reload_at.set(now)
        if successful:
            self._reload_success_at.set(now)

    def render(self) -> tuple[str, bytes]:
        """The Content-Type and the text of all metrics as they are now."""
        return CONTENT_TYPE_PLAIN_0_0_4, generate_latest(self._registry)


class _StatusCollector(Collector):
    """Gauges read off the daemon's status at each scrape."""

    def __init__(self, status: Callable[[], DaemonStatus]) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """The gauges as they are now."""
        status = self._status()
        yield from _of_workers(status)
        yield _gauge("neuraldocflow_queue_depth", "Conversions that wait for a worker.", status.queued)
        yield _gauge("ndfd_config_generation", "Counts the configurations that this daemon has run.", status.generation)
        # A sample is a float, which holds 53 bits.
        yield _gauge(
            "ndfd_config_hash",
            "First 48 bits of the SHA-256 of the configuration that holds, secrets left out.",
            int(status.config_hash[:12] or "0", 16),
        )
        yield from _sandbox(status.sandbox)
        if status.jobs is not None:
            yield from _jobs(status.jobs)
        build = GaugeMetricFamily(
            "ndfd_build_info", "Always 1; its labels say what runs.", labels=["version", "python", "engine", "native"]
        )
        engine = status.engine
        build.add_metric(
            [
                status.version,
                platform.python_version(),
                engine.name if engine else "",
                engine.native if engine else "",
            ],
            1,
        )
        yield build


def _sandbox(sandbox: Sandbox | None) -> Iterator[Metric]:
    """Nothing before it is measured: an alert on what is missing must not read 0 then."""
    if sandbox is None:
        return
    info = GaugeMetricFamily(
        "ndfd_sandbox_info",
        "Always 1; its labels say what confines the workers, as it was measured.",
        labels=["seccomp_calls", "landlock_abi", "attempts_denied", "attempts_passed"],
    )
    labels = (sandbox.calls, sandbox.landlock_abi, len(sandbox.denied), len(sandbox.passed))
    info.add_metric(list(map(str, labels)), 1)
    yield info
    missing = GaugeMetricFamily(
        "ndfd_sandbox_missing", "Whether the workers lack this measure of confinement.", labels=["measure"]
    )
    for measure in MEASURES:
        missing.add_metric([measure], measure in sandbox.missing)
    yield missing


def _jobs(jobs: JobsStatus) -> Iterator[Metric]:
    by_state = GaugeMetricFamily("ndfd_jobs", "Durable jobs that are kept, by state.", labels=["state"])
    for state in ("queued", "running", "succeeded", "failed", "quarantined", "cancelled"):
        by_state.add_metric([state], getattr(jobs, state))
    yield by_state
    oldest = "Time that the first of the queued jobs has waited; 0 when none waits."
    yield _gauge("ndfd_job_oldest_queued_seconds", oldest, jobs.oldest_queued_s or 0.0)
    yield _gauge(
        "ndfd_store_spool_bytes",
        "Documents and results of jobs, for each job.",
        jobs.spool_bytes,
    )
    yield _gauge("ndfd_store_free_bytes", "What is left on the disk of the store.", jobs.free_bytes)
    given_up = "Deliveries of ends of jobs that were given up since the start."
    yield _gauge("ndfd_job_deliveries_failed", given_up, jobs.deliveries_failed)


def _of_workers(status: DaemonStatus) -> Iterator[Metric]:
    """By pool and role; those of a pool that a reload took away are told until the last has ended."""
    alive = [worker for worker in status.workers if worker.state is not WorkerState.DEAD]
    kinds = dict.fromkeys((pool.name, pool.role) for pool in status.pools)
    kinds |= dict.fromkeys((worker.pool, worker.role) for worker in alive)
    by_kind = {kind: [worker for worker in alive if (worker.pool, worker.role) == kind] for kind in kinds}
    busy = {kind: sum(worker.state in _AT_WORK for worker in each) for kind, each in by_kind.items()}
    rss = {kind: sum(worker.rss_bytes for worker in each) for kind, each in by_kind.items()}
    yield _by_kind("neuraldocflow_active_agents", "Worker processes that convert a document now.", busy)
    yield _by_kind("ndfd_workers", "Worker processes.", {kind: len(each) for kind, each in by_kind.items()})
    yield _by_kind("neuraldocflow_memory_usage_bytes", "Resident memory of the worker processes.", rss)


def _by_kind(name: str, help_text: str, values: Mapping[tuple[str, str], float]) -> Metric:
    gauge = GaugeMetricFamily(name, help_text, labels=["pool", "role"])
    for labels, value in values.items():
        gauge.add_metric(labels, value)
    return gauge


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)
