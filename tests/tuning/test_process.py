"""What each process shall set for itself, by preset, keys and machine."""

from __future__ import annotations

import pytest

from ndfd.model.topology import Cpu, ProcessLimits, Topology
from ndfd.model.tuning import Outcome, Preset
from ndfd.tuning.process import (
    Affinity,
    DaemonWish,
    Place,
    PoolWish,
    ProcessPlan,
    Scheduling,
    needs_topology,
    of_daemon,
    of_pools,
)

LIMITS = ProcessLimits(open_files=1024, open_files_max=524288, oom_score=0, autogroups=True, huge_pages="madvise")
SAFE = DaemonWish(Preset.SAFE)
OFF = DaemonWish(Preset.OFF)
POOL = PoolWish(None, 2)
PLAIN = Topology(tuple(Cpu(number, core=number) for number in range(4)))
TWO_NODES = Topology(tuple(Cpu(number, package=number // 2, core=number, node=number // 2) for number in range(4)))


def daemon(wish: DaemonWish = SAFE, limits: ProcessLimits = LIMITS, pool: PoolWish = POOL) -> dict[str, str]:
    return dict(of_daemon(wish, limits, {"default": pool}).knobs)


def zygote(
    pool: PoolWish = POOL,
    wish: DaemonWish = SAFE,
    limits: ProcessLimits = LIMITS,
    topology: Topology | None = None,
) -> ProcessPlan:
    return of_pools(wish, limits, {"default": pool}, topology)["default"].zygote


def reasons(plan: ProcessPlan) -> dict[str, str | None]:
    assert {state.outcome for state in plan.skipped} <= {Outcome.SKIPPED}
    return {state.knob: state.reason for state in plan.skipped}


def changed(limits: ProcessLimits, **changes: object) -> ProcessLimits:
    fields = {name: getattr(limits, name) for name in limits.__slots__}
    return ProcessLimits(**{**fields, **changes})


@pytest.mark.parametrize("preset", [Preset.SAFE, Preset.THROUGHPUT, Preset.LATENCY])
def test_presets_name_only_what_was_measured_to_help(preset: Preset) -> None:
    wish = DaemonWish(preset)
    assert daemon(wish) == {"open_files": "65536"}
    plan = zygote(wish=wish)
    assert dict(plan.knobs) == {"oom_score": "500"}
    assert reasons(plan).keys() == {"affinity", "autogroup", "scheduling", "io_priority", "huge_pages"}


def test_off_sets_nothing_and_says_so_of_each() -> None:
    assert daemon(OFF) == {}
    plan = zygote(wish=OFF)
    assert plan.knobs == ()
    assert reasons(plan)["oom_score"] == "the preset is off"
    # What a key of its own asks for is none of the preset's business.
    wish = DaemonWish(Preset.OFF, timer_slack_ns=5, lock_memory=True)
    assert daemon(wish) == {"timer_slack": "5", "memory_lock": "locked"}
    assert dict(zygote(PoolWish(None, 2, huge_pages=False), wish).knobs) == {
        "timer_slack": "5",
        "huge_pages": "disabled",
    }


@pytest.mark.parametrize(
    ("soft", "hard", "wanted"),
    [(1024, 524288, "65536"), (1024, 4096, "4096"), (100_000, 524288, "100000"), (1024, None, "65536")],
)
def test_open_files_are_raised_as_far_as_may_be_and_never_lowered(soft: int, hard: int | None, wanted: str) -> None:
    assert daemon(limits=changed(LIMITS, open_files=soft, open_files_max=hard))["open_files"] == wanted


def test_a_limit_that_is_not_there_is_let_be() -> None:
    plan = of_daemon(SAFE, changed(LIMITS, open_files=None, open_files_max=None), {"default": POOL})
    assert "open_files" in reasons(plan)


@pytest.mark.parametrize(("own", "wanted"), [(0, "500"), (-900, "-400"), (300, "800"), (700, "1000"), (1000, "1000")])
def test_workers_go_before_their_daemon(own: int, wanted: str) -> None:
    assert dict(zygote(limits=changed(LIMITS, oom_score=own)).knobs)["oom_score"] == wanted


@pytest.mark.parametrize("mode", ["always", "madvise", "never", None])
def test_who_wants_no_huge_pages_has_none_and_else_the_machine_decides(mode: str | None) -> None:
    limits = changed(LIMITS, huge_pages=mode)
    assert "huge_pages" not in daemon(limits=limits)
    assert "huge_pages" not in dict(zygote(limits=limits).knobs)
    assert "huge_pages" not in dict(zygote(PoolWish(None, 2, huge_pages=True), limits=limits).knobs)
    assert dict(zygote(PoolWish(None, 2, huge_pages=False), limits=limits).knobs)["huge_pages"] == "disabled"


def test_a_priority_holds_between_sessions_where_the_scheduler_groups_them() -> None:
    low = PoolWish(None, 2, nice=10)
    assert dict(zygote(low).knobs)["autogroup"] == "10"
    assert reasons(zygote(low, limits=changed(LIMITS, autogroups=False)))["autogroup"] is not None
    assert "autogroup" not in dict(zygote(low, OFF).knobs)


@pytest.mark.parametrize(
    ("asked", "worker", "own"),
    [
        (Scheduling.NORMAL, "other", None),
        (Scheduling.BATCH, "batch", None),
        (Scheduling.IDLE, "idle", None),
        (Scheduling.FIFO, "fifo 1", "fifo 2 reset-on-fork"),
        (Scheduling.RR, "rr 1", "rr 2 reset-on-fork"),
    ],
)
def test_a_daemon_is_above_its_real_time_workers_and_as_it_was_beside_others(
    asked: Scheduling, worker: str, own: str | None
) -> None:
    pool = PoolWish(None, 2, scheduling=asked)
    assert dict(zygote(pool).knobs)["scheduling"] == worker
    assert daemon(pool=pool).get("scheduling") == own


def test_disks_are_asked_for_what_the_key_says() -> None:
    assert dict(zygote(PoolWish(None, 2, io_priority="idle")).knobs)["io_priority"] == "idle"


def test_processors_are_looked_at_only_where_workers_are_bound() -> None:
    pools = {"default": POOL, "bulk": PoolWish(None, 2, affinity=Affinity.OFF)}
    assert not needs_topology(SAFE, pools)
    assert not needs_topology(OFF, pools)
    assert needs_topology(DaemonWish(Preset.LATENCY), pools)
    assert needs_topology(SAFE, {"default": POOL, "bulk": PoolWish(None, 2, affinity=Affinity.POOL)})


@pytest.mark.parametrize("preset", [Preset.LATENCY])
def test_presets_bind_workers_where_each_has_a_processor_of_its_own(preset: Preset) -> None:
    def placed(workers: int, **changes: Affinity) -> tuple[int, str | None]:
        pools = {"default": PoolWish(None, workers, **changes), "bulk": POOL}
        plan = of_pools(DaemonWish(preset), LIMITS, pools, PLAIN)["default"]
        return len(plan.places), reasons(plan.zygote).get("affinity")

    assert placed(2) == (2, None)
    assert placed(3) == (0, "there are more workers than processors")
    assert placed(3, affinity=Affinity.WORKER) == (3, None)
    assert placed(2, affinity=Affinity.OFF) == (0, "[swarm] affinity is off")


def test_each_worker_has_its_processor_and_its_memory_beside_it() -> None:
    pool = PoolWish(None, 3, affinity=Affinity.WORKER)
    plans = of_pools(SAFE, LIMITS, {"default": pool, "other": POOL}, TWO_NODES)
    assert plans["default"].places == (Place(0, 0), Place(1, 0), Place(2, 1))
    assert plans["other"].places == ()
    # Where there is one memory for all, nothing is said of it.
    assert of_pools(SAFE, LIMITS, {"default": pool}, PLAIN)["default"].places == (Place(0), Place(1), Place(2))


def test_a_pool_that_fits_on_one_node_is_bound_to_it_with_its_memory() -> None:
    two = dict(zygote(PoolWish(None, 2, affinity=Affinity.POOL), topology=TWO_NODES).knobs)
    assert (two["affinity"], two["memory_policy"]) == ("0-1", "prefer 0")
    named = PoolWish(frozenset({1, 2, 3}), 2, affinity=Affinity.POOL)
    assert dict(zygote(named, topology=TWO_NODES).knobs)["affinity"] == "2-3"
    four = zygote(PoolWish(None, 4, affinity=Affinity.POOL), topology=TWO_NODES)
    assert {"affinity", "memory_policy"} <= reasons(four).keys()
    assert reasons(zygote(PoolWish(None, 2, affinity=Affinity.POOL), topology=PLAIN)).keys() >= {"memory_policy"}
