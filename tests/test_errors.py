"""The tree of errors: what programs match on, and what people read."""

from __future__ import annotations

import pickle
import re

import pytest

from ndfd import errors
from ndfd.errors import NdfdError, error_classes, error_from_code

CLASSES = list(error_classes())
SYSEXITS = range(64, 79)


def test_the_tree_lists_parents_before_children_and_each_class_once() -> None:
    assert CLASSES[0] is NdfdError
    assert len(CLASSES) == len(set(CLASSES))
    for cls in CLASSES[1:]:
        assert CLASSES.index(cls.__mro__[1]) < CLASSES.index(cls)


def test_every_error_class_of_the_module_is_in_the_tree() -> None:
    defined = {value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(CLASSES)


def test_codes_are_unique_and_of_one_form() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_every_class_is_documented_and_says_what_to_do(cls: type[NdfdError]) -> None:
    assert cls.__doc__
    assert cls.default_hint
    assert not cls.default_hint.endswith(".")
    assert cls.exit_status in SYSEXITS
    assert 400 <= cls.http_status < 600


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.code)
def test_every_class_survives_pickling_and_the_wire(cls: type[NdfdError]) -> None:
    error = cls("what went wrong", hint="what to do", page=7)
    for copy in (
        pickle.loads(pickle.dumps(error)),
        error_from_code(cls.code, "what went wrong", hint="what to do", page=7),
    ):
        assert type(copy) is cls
        assert (copy.message, copy.hint, copy.page) == ("what went wrong", "what to do", 7)


def test_a_code_of_a_newer_daemon_becomes_the_root_and_keeps_its_words() -> None:
    error = error_from_code("from-the-future", "flux ran out")
    assert type(error) is NdfdError
    assert str(error) == "from-the-future: flux ran out"


def test_a_retry_is_decided_by_the_class() -> None:
    assert errors.WorkerCrashed("x").retryable
    assert not errors.DamagedDocument("x").retryable
