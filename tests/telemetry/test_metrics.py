"""The metrics that the outside world holds on to."""

from __future__ import annotations

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ndfd.errors import DamagedDocument
from ndfd.model.conversion import ConversionReport, OutputFormat
from ndfd.model.measures import MEASURES
from ndfd.model.process_tuning import TuningState
from ndfd.model.sandbox import Sandbox
from ndfd.model.status import DaemonStatus, EngineStatus, JobsStatus, PoolStatus, WorkerState, WorkerStatus
from ndfd.model.tuning import Outcome
from ndfd.telemetry.metrics import Metrics


def status() -> DaemonStatus:
    states = (WorkerState.BUSY, WorkerState.IDLE, WorkerState.DEAD)
    workers = tuple(
        WorkerStatus(n, 100 + n, state, 0, 1.0, 1000, pool="default", role="extractor")
        for n, state in enumerate(states)
    )
    leaves = WorkerStatus(9, 109, WorkerState.BUSY, 0, 1.0, 500, pool="gone", role="extractor")
    pools = (PoolStatus("default", "extractor", 2, 2, 7), PoolStatus("bulk", "extractor", 0, 4, 0))
    engine = EngineStatus("pdfium 1", "c")
    return DaemonStatus("1.2.3", 1, 1.0, (), engine, (*workers, leaves), 7, 0, 0, 0, 3, "ffff0000000000", pools=pools)


def report(pages: int, partial: int = 0, failed: int = 0) -> ConversionReport:
    return ConversionReport(pages, partial, failed, "text/plain", 1, 0.1, 1)


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample as `name{label,label}` (its labels' values, by the labels' names) and value."""
    content_type, body = metrics.render()
    assert content_type.startswith("text/plain; version=0.0.4")
    return {
        sample.name
        + (
            "{" + ",".join(sample.labels[name] for name in sorted(sample.labels)) + "}" if sample.labels else ""
        ): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_what_is_read_off_the_daemon_is_as_it_is_at_the_scrape() -> None:
    found = samples(Metrics(status))
    assert found["neuraldocflow_active_agents{default,extractor}"] == 1
    assert found["neuraldocflow_memory_usage_bytes{default,extractor}"] == 2000
    assert found["neuraldocflow_queue_depth"] == 7
    assert found["ndfd_workers{default,extractor}"] == 2


def test_a_pool_without_workers_and_one_on_its_way_out_are_told_too() -> None:
    found = samples(Metrics(status))
    assert found["ndfd_workers{bulk,extractor}"] == found["neuraldocflow_active_agents{bulk,extractor}"] == 0
    assert found["ndfd_workers{gone,extractor}"] == found["neuraldocflow_active_agents{gone,extractor}"] == 1
    assert found["neuraldocflow_memory_usage_bytes{gone,extractor}"] == 500


def test_what_confines_the_workers_and_what_is_missing_is_told_once_it_is_measured() -> None:
    assert not [name for name in samples(Metrics(status)) if name.startswith("ndfd_sandbox")]
    sandbox = Sandbox(calls=22, landlock_abi=7, denied=("open: EACCES",), missing=("mdwe",))
    found = samples(Metrics(lambda: msgspec.structs.replace(status(), sandbox=sandbox)))
    assert found["ndfd_sandbox_info{1,0,7,22}"] == 1
    assert found["ndfd_sandbox_missing{mdwe}"] == 1
    assert found["ndfd_sandbox_missing{landlock}"] == 0
    assert sum(name.startswith("ndfd_sandbox_missing") for name in found) == len(MEASURES)


def test_knobs_of_processes_are_counted_by_what_came_of_them() -> None:
    own = (
        TuningState("open_files", "daemon", Outcome.SAME, "65536"),
        TuningState("oom_score", "zygote", Outcome.APPLIED, "500", pool="default"),
    )
    bound = TuningState("affinity", "worker", Outcome.APPLIED, "0", pool="default")
    workers = tuple(msgspec.structs.replace(worker, tuning=(bound,)) for worker in status().workers)
    found = samples(Metrics(lambda: msgspec.structs.replace(status(), tuning=own, workers=workers)))
    told = {name: value for name, value in found.items() if name.startswith("ndfd_process_tuning")}
    assert told == {
        "ndfd_process_tuning{open_files,same,,daemon}": 1,
        "ndfd_process_tuning{oom_score,applied,default,zygote}": 1,
        "ndfd_process_tuning{affinity,applied,default,worker}": len(workers),
    }


def test_jobs_are_told_by_state_where_the_daemon_keeps_any() -> None:
    assert not [name for name in samples(Metrics(status)) if name.startswith(("ndfd_job", "ndfd_store"))]
    jobs = JobsStatus("/var/lib/ndfd", 7, 2, 40, 1, 0, 3, 12, 99, 0, oldest_queued_s=2.5, deliveries_failed=4)
    found = samples(Metrics(lambda: msgspec.structs.replace(status(), jobs=jobs)))
    assert {state: found[f"ndfd_jobs{{{state}}}"] for state in ("queued", "running", "succeeded", "cancelled")} == {
        "queued": 7,
        "running": 2,
        "succeeded": 40,
        "cancelled": 3,
    }
    assert found["ndfd_job_oldest_queued_seconds"] == 2.5
    assert (found["ndfd_store_spool_bytes"], found["ndfd_store_free_bytes"]) == (12, 99)
    assert found["ndfd_job_deliveries_failed"] == 4


def test_the_build_says_what_runs() -> None:
    _, body = Metrics(status).render()
    line = next(line for line in body.decode().splitlines() if line.startswith("ndfd_build_info{"))
    assert 'version="1.2.3"' in line
    assert 'engine="pdfium 1"' in line
    assert line.endswith(" 1.0")


def test_conversions_are_counted_by_outcome_and_format_and_pages_by_status() -> None:
    metrics = Metrics(status)
    metrics.converted(OutputFormat.MARKDOWN, report(3), 0.02)
    metrics.converted(OutputFormat.JSON, report(5, partial=1, failed=2), 0.02)
    metrics.failed(OutputFormat.MARKDOWN, DamagedDocument("broken"), 4.0)
    found = samples(metrics)
    assert found["neuraldocflow_documents_processed_total{markdown,succeeded}"] == 1
    assert found["neuraldocflow_documents_processed_total{json,partial}"] == 1
    assert found["neuraldocflow_documents_processed_total{markdown,failed}"] == 1
    assert found["neuraldocflow_errors_total{document-damaged}"] == 1
    assert found["ndfd_pages_processed_total{ok}"] == 5
    assert found["ndfd_pages_processed_total{partial}"] == 1
    assert found["ndfd_pages_processed_total{failed}"] == 2
    assert found["neuraldocflow_processing_duration_seconds_count"] == 3
    assert found["neuraldocflow_processing_duration_seconds_sum"] == pytest.approx(4.04)


def test_two_daemons_in_one_process_have_metrics_of_their_own() -> None:
    one, other = Metrics(status), Metrics(status)
    one.converted(OutputFormat.MARKDOWN, report(1), 0.1)
    assert not [name for name in samples(other) if name.startswith("neuraldocflow_documents_processed")]


def test_the_configuration_that_holds_and_the_last_attempt_to_change_it_are_told() -> None:
    metrics = Metrics(status)
    metrics.reloaded(successful=False)
    found = samples(metrics)
    assert found["ndfd_config_generation"] == 3
    assert found["ndfd_config_hash"] == 0xFFFF00000000
    assert found["ndfd_config_last_reload_successful"] == 0
    at = "timestamp_seconds"
    assert found[f"ndfd_config_last_reload_{at}"] > found[f"ndfd_config_last_reload_success_{at}"]
    metrics.reloaded(successful=True)
    assert samples(metrics)["ndfd_config_last_reload_successful"] == 1
