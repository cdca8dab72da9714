"""The hostile documents are small and cost PDFium what their builders say."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pypdfium2
import pytest

from tests import documents
from tests.documents.engine import cost_in_child, opened, page_text, texts


@pytest.mark.parametrize(
    ("build", "most_bytes"),
    [
        (documents.endless, 10_000),
        (documents.slow_second_page, 10_000),
        (documents.nested_forms, 10_000),
        (lambda: documents.memory_bomb(64), 5_000),
        (lambda: documents.object_stream_bomb(64), 5_000),
    ],
)
def test_the_expensive_documents_are_small(build: Callable[..., bytes], most_bytes: int) -> None:
    assert len(build()) < most_bytes


def test_a_slow_document_takes_time_by_its_leaves_and_shows_its_word() -> None:
    started = time.process_time()
    assert texts(documents.slow(leaves=10)) == ["After all that"]
    assert time.process_time() - started > 0.01


@pytest.mark.slow
def test_an_endless_document_does_not_end_within_seconds() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        cost_in_child(documents.endless(), timeout_s=5)


@pytest.mark.parametrize("build", [documents.memory_bomb, documents.object_stream_bomb])
def test_a_bomb_takes_at_least_the_memory_that_it_inflates_to(
    build: Callable[..., bytes],
) -> None:
    _, plain_bytes = cost_in_child(build(1), timeout_s=60)
    _, bomb_bytes = cost_in_child(build(128), timeout_s=60)
    assert bomb_bytes - plain_bytes > 100 * 2**20


@pytest.mark.slow
@pytest.mark.parametrize("build", [documents.memory_bomb, documents.object_stream_bomb])
def test_a_bomb_of_the_default_size_takes_more_than_a_gigabyte(
    build: Callable[..., bytes],
) -> None:
    _, bomb_bytes = cost_in_child(build(), timeout_s=120)
    assert bomb_bytes > 2**30


def test_nested_forms_multiply_their_memory() -> None:
    _, few_bytes = cost_in_child(documents.nested_forms(depth=1), timeout_s=60)
    _, many_bytes = cost_in_child(documents.nested_forms(depth=5), timeout_s=60)
    assert many_bytes - few_bytes > 20 * 2**20


def test_a_form_in_itself_and_deep_nesting_are_survived() -> None:
    assert texts(documents.form_in_itself()) == ["A form within itself"]
    assert texts(documents.deep_arrays()) == ["Deep"]
    assert texts(documents.deep_graphics_states()) == ["Deep"]


def test_a_page_of_many_characters_gives_every_one() -> None:
    (text,) = texts(documents.many_characters(20_000))
    assert text.count("x") == 20_000


def test_a_page_of_many_paths_shows_its_word() -> None:
    assert texts(documents.many_paths(2_000)) == ["Among the lines"]


def test_every_one_of_many_pages_is_there() -> None:
    assert texts(documents.many_pages(50))[-1] == "Page 50"


def test_looping_kids_open_and_only_the_sound_page_loads() -> None:
    with opened(documents.looping_kids()) as document:
        assert page_text(document, 0) == ""
        with pytest.raises(pypdfium2.PdfiumError):
            document[1]
