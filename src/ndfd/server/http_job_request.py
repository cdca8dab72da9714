"""What is asked of jobs, read from an HTTP request's query and headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from ndfd.errors import UsageError
from ndfd.model.job_states import JobState
from ndfd.model.jobs import JobOptions, JobQuery
from ndfd.server.http_request import CONVERT_PARAMETERS, once, options_given, utf8_header

#: draft-ietf-httpapi-idempotency-key-header.
KEY_HEADER = "Idempotency-Key"
#: Of server-sent events: the last one that a client has seen, when it connects anew.
LAST_EVENT_HEADER = "Last-Event-ID"

_HOW_TO_SUBMIT = "see /openapi.json; for example: curl --data-binary @FILE 'http://localhost/v1/jobs?label=case=17'"
_HOW_TO_LIST = "see /openapi.json; for example: curl 'http://localhost/v1/jobs?state=failed&limit=10'"
_STATES = ", ".join(JobState)
#: A quoted string of Structured Fields (RFC 9651 section 3.3.3).
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')


def job_options(query: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> JobOptions:
    """`UsageError` names what is wrong. The Accept header is about the answer, which is no rendering here."""
    labels, rest = _labels(query)
    given = once(rest, (*CONVERT_PARAMETERS, "priority", "label"), _HOW_TO_SUBMIT)
    key = utf8_header(headers, KEY_HEADER)
    return JobOptions(
        convert=options_given(given, headers, None),
        priority=_integer(given, "priority") or 0,
        key=None if key is None else _unquoted(key),
        labels=labels,
    )


def job_query(query: Iterable[tuple[str, str]]) -> JobQuery:
    """`UsageError` names what is wrong."""
    labels, rest = _labels(query)
    states = tuple(_state(value) for key, value in rest if key == "state")
    others = [(key, value) for key, value in rest if key != "state"]
    given = once(others, ("state", "label", "uid", "cursor", "limit"), _HOW_TO_LIST)
    asked = JobQuery(states=states, labels=labels, uid=_integer(given, "uid"), cursor=given.get("cursor"))
    limit = _integer(given, "limit")
    return asked if limit is None else msgspec.structs.replace(asked, limit=limit)


def with_history(query: Iterable[tuple[str, str]]) -> bool:
    """Whether what happened to the job is asked for as well; `UsageError` for anything else in the query."""
    history = False
    for key, value in query:
        if key != "history" or value not in ("true", "false"):
            raise UsageError(f"unknown parameter {key}={value!r}", hint="known is history=true")
        history = value == "true"
    return history


def last_seen_version(headers: Mapping[str, str]) -> int | None:
    """The version of the job that the client has seen before it lost its connection; None when it has seen none."""
    text = headers.get(LAST_EVENT_HEADER)
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise UsageError(
            f"the header {LAST_EVENT_HEADER} is {text!r}, no version of a job",
            hint="give the `id` of the last event that came, or leave the header out",
        )
    return int(text)


def _labels(query: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The labels, and the rest of the query."""
    labels: dict[str, str] = {}
    rest = []
    for key, value in query:
        if key != "label":
            rest.append((key, value))
            continue
        name, equals, content = value.partition("=")
        if not equals:
            raise UsageError(f"the label {value!r} has no value", hint="give NAME=VALUE: label=case=17")
        if name in labels:
            raise UsageError(f"the label {name!r} was given twice", hint="give each label one value")
        labels[name] = content
    return labels, rest


def _state(text: str) -> JobState:
    try:
        return JobState(text)
    except ValueError:
        raise UsageError(f"unknown state {text!r}", hint=f"known are {_STATES}") from None


def _integer(given: Mapping[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise UsageError(f"the parameter {name}={text!r} is no whole number", hint=f"give one: {name}=5")
    return int(text)


def _unquoted(key: str) -> str:
    """The key itself: the draft has it in quotes, most clients send it without."""
    quoted = _QUOTED.fullmatch(key)
    return key if quoted is None else re.sub(r"\\(.)", r"\1", quoted[1])
