"""A short run of `scripts/stress documents`, which converts a hundred times as many; and the fuzzer itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.engine import texts
from tests.stress.documents import Plan, run
from tests.stress.findings import Findings, Judge
from tests.stress.fuzzer import Fuzzer
from tests.stress.good_files import examples, generated
from tests.stress.hostile_load import Ended
from tests.stress.pdf_objects import parse

_ROOT = Path(__file__).parents[2]


def test_a_hundred_mutations_hurt_neither_the_daemon_nor_another_user() -> None:
    # Its programs leave a helper of multiprocessing's behind, which goes with the process that they are children of.
    command = [sys.executable, "-m", "tests.stress", "documents", "--count=100", "--json"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(_ROOT), str(_ROOT / "src")])}
    ran = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=False)
    findings = json.loads(ran.stdout)
    assert findings["faults"] == []
    # Else it would have tested nothing.
    assert sum(findings["endings"].values()) == 100
    assert findings["endings"]["document-damaged"] > 0
    assert 20 < findings["endings"]["ok"] < 90
    assert findings["good"]["mutations"] > 0


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_hostile_files_of_the_corpus_and_mutations_of_its_good_ones_hurt_nobody(corpus: Path) -> None:
    findings = run(Plan(count=1000, corpus=corpus))
    print("\n".join(findings.lines()))
    assert findings.faults == []
    assert findings.files > 100


def test_a_mutant_is_made_from_its_seed_and_index_alone() -> None:
    good = generated() + examples()
    backwards = [Fuzzer(good, 1).mutant(index) for index in reversed(range(40))]
    fuzzer = Fuzzer(good, 1)
    assert [fuzzer.mutant(index) for index in range(40)] == backwards[::-1]
    assert [fuzzer.source(index).name for index in range(40)] == [mutant.source for mutant in backwards[::-1]]
    assert Fuzzer(good, 2).mutant(0) != fuzzer.mutant(0)


def test_a_document_that_is_taken_apart_and_put_together_again_is_sound() -> None:
    good = [each for each in generated() + examples() if not each.name.startswith(("encrypted", "object_stream"))]
    for each in good:
        assert texts(parse(each.data).written()) == texts(each.data), each.name


@pytest.mark.parametrize(
    "ended",
    [
        Ended("a fault nobody foresaw", "internal", 0.1, "ZeroDivisionError"),
        Ended("no message", "document-damaged", 0.1, ""),
        Ended("an overload is no document's fault", "try-again", 0.1, "no worker was free"),
        Ended("a hang beyond the deadline", "conversion-timeout", 11.0, "not done"),
        Ended("a page that is known and not named", "conversion-timeout", 5.0, "not done", pages_told=3),
        Ended("a breach of the protocol", "document-kills-workers", 0.1, "the worker broke the protocol"),
        Ended("a call that the sandbox stops", "document-kills-workers", 0.1, "killed by SIGSYS"),
        Ended("a malformed result", "ok", 0.1, fault="the result is malformed"),
    ],
    ids=lambda ended: ended.label,
)
def test_the_judge_sees(ended: Ended) -> None:
    findings = Findings(seed=1)
    Judge(findings, deadline_s=5.0).take(ended)
    assert len(findings.faults) == 1


def test_the_judge_lets_a_named_cause_pass_and_keeps_the_culprit_of_a_crash() -> None:
    findings = Findings(seed=1)
    judge = Judge(findings, deadline_s=5.0)
    judge.take(Ended("7", "document-kills-workers", 0.2, "first, killed by SIGSEGV on page 1 of 2", page=1))
    judge.take(Ended("8", "document-damaged", 0.1, "the cross-references are damaged"))
    judge.take(Ended("9", "ok", 0.1))
    assert findings.faults == []
    assert findings.culprits == {"SIGSEGV": ["7"]}
