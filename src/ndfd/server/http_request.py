"""What is asked of a conversion, read from an HTTP request's query and headers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ndfd.errors import UsageError
from ndfd.model.conversion import ConvertOptions, OutputFormat

PASSWORD_HEADER = "Ndfd-Password"  # noqa: S105 - the name of a header, not a password
#: Of every answer: which of the daemon's configurations served the request.
GENERATION_HEADER = "Ndfd-Generation"

CONVERT_PARAMETERS = ("format", "name", "deadline", "pool")
_BY_MEDIA_TYPE = {form.media_type.partition(";")[0]: form for form in OutputFormat}
_FORMATS = ", ".join(OutputFormat)
#: The same way in words, for hints.
_HOW = "see /openapi.json; for example: curl --data-binary @FILE 'http://localhost/v1/convert?format=markdown'"


def convert_options(query: Iterable[tuple[str, str]], headers: Mapping[str, str]) -> ConvertOptions:
    """`UsageError` names what is wrong. `headers` finds names in any case and gives Latin-1 text, as ASGI does."""
    given = once(query, CONVERT_PARAMETERS, _HOW)
    return options_given(given, headers, headers.get("accept"))


def options_given(given: Mapping[str, str], headers: Mapping[str, str], accept: str | None) -> ConvertOptions:
    """The options among a query's parameters and the headers; `UsageError` names what is wrong."""
    return ConvertOptions(
        format=_format(given.get("format"), accept),
        password=utf8_header(headers, PASSWORD_HEADER),
        name=given.get("name"),
        deadline_s=_deadline(given.get("deadline")),
        pool=given.get("pool"),
    )


def once(query: Iterable[tuple[str, str]], known: Sequence[str], how: str) -> dict[str, str]:
    """The parameters of a query, each given once; `UsageError`, with `how` as its hint, for any that is not known."""
    given: dict[str, str] = {}
    for key, value in query:
        if key == "password":
            raise UsageError(
                "the password was given in the query",
                hint=f"give it in the header {PASSWORD_HEADER}: queries end in logs and in the process list",
            )
        if key not in known:
            raise UsageError(f"unknown parameter {key!r}", hint=f"known are {', '.join(known)}; {how}")
        if key in given:
            raise UsageError(f"the parameter {key!r} was given twice", hint=how)
        given[key] = value
    return given


def utf8_header(headers: Mapping[str, str], name: str) -> str | None:
    """A header of UTF-8 text, None where it is not sent."""
    header = headers.get(name)
    if header is None:
        return None
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise UsageError(f"the header {name} is not UTF-8", hint="send its bytes in UTF-8") from None


def check_body_type(content_type: str | None) -> None:
    """`UsageError` for a body that wraps the document; any other Content-Type is as good as none."""
    if content_type is not None and content_type.lower().startswith("multipart/"):
        raise UsageError(
            "the body is a multipart form; it must be the document itself",
            hint="use `curl --data-binary @FILE` rather than `-F`",
        )


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token that a request shows (RFC 6750 section 2.1); empty for one that shows none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def reload_dry_run(query: Iterable[tuple[str, str]]) -> bool:
    """Whether a reload is only to be planned; `UsageError` for anything else in the query."""
    dry_run = False
    for key, value in query:
        if key != "dry_run" or value not in ("true", "false"):
            raise UsageError(f"unknown parameter {key}={value!r}", hint="known is dry_run=true")
        dry_run = value == "true"
    return dry_run


def renew_pool(query: Iterable[tuple[str, str]]) -> str | None:
    """The pool whose workers are to be replaced, None for all; `UsageError` for anything else in the query."""
    pool = None
    for key, value in query:
        if key != "pool":
            raise UsageError(f"unknown parameter {key}={value!r}", hint="known is pool=NAME")
        pool = value
    return pool


def declared_size(content_length: str | None) -> int | None:
    """The body's size in bytes where the request says it; None for a chunked body."""
    return int(content_length) if content_length is not None and content_length.isdecimal() else None


def _format(wanted: str | None, accept: str | None) -> OutputFormat:
    if wanted is not None:
        try:
            return OutputFormat(wanted)
        except ValueError:
            raise UsageError(f"unknown format {wanted!r}", hint=f"known are {_FORMATS}") from None
    if accept is None:
        return OutputFormat.MARKDOWN
    for media_type in _by_preference(accept):
        if media_type in ("*/*", "text/*"):
            return OutputFormat.MARKDOWN
        if media_type == "application/*":
            return OutputFormat.JSON
        if media_type in _BY_MEDIA_TYPE:
            return _BY_MEDIA_TYPE[media_type]
    raise UsageError(
        f"no rendering is of a type that is accepted: {accept}",
        hint=f"accept one of {', '.join(_BY_MEDIA_TYPE)}, or ask with ?format=",
    )


def _by_preference(accept: str) -> list[str]:
    """The media ranges of an Accept header (RFC 9110 section 12.5.1), the best first; those with q=0 are left out."""
    ranges: list[tuple[float, str]] = []
    for item in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in item.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        if media_type and weight > 0:
            ranges.append((weight, media_type))
    # sorted() is stable: equal weights keep the caller's order.
    return [media_type for _, media_type in sorted(ranges, key=lambda entry: -entry[0])]


def _deadline(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"the deadline {text!r} is no number", hint="give seconds: deadline=30") from None
