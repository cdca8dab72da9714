"""One stream, one form, for everything that logs."""

from __future__ import annotations

import io
import json
import logging

import structlog

from ndfd.config.settings import LoggingSettings
from ndfd.telemetry.logs import prepare_logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_away_from_a_terminal_each_record_is_one_line_of_json() -> None:
    stream = io.StringIO()
    prepare_logs(LoggingSettings(), stream).use()
    logging.getLogger("uvicorn.error").warning("sent %d bytes", 3, extra={"pid": 4711})
    (line,) = lines(stream)
    assert line["event"] == "sent 3 bytes"
    assert line["level"] == "warning"
    assert line["logger"] == "uvicorn.error"
    assert line["pid"] == 4711
    assert str(line["timestamp"]).endswith("Z")
    assert list(line)[:3] == ["timestamp", "level", "event"]


def test_structured_events_and_plain_records_come_in_one_form() -> None:
    stream = io.StringIO()
    prepare_logs(LoggingSettings(), stream).use()
    structlog.stdlib.get_logger("ndfd").info("ready", sockets=("a", "b"))
    (line,) = lines(stream)
    assert (line["event"], line["sockets"], line["logger"]) == ("ready", ["a", "b"], "ndfd")


def test_a_traceback_stays_on_its_line() -> None:
    stream = io.StringIO()
    prepare_logs(LoggingSettings(), stream).use()
    try:
        {}["missing"]
    except KeyError:
        logging.getLogger("asyncio").exception("a task failed")
    (line,) = lines(stream)
    assert "KeyError: 'missing'" in str(line["exception"])


def test_on_a_terminal_the_log_is_coloured_and_no_json() -> None:
    stream = Terminal()
    prepare_logs(LoggingSettings(), stream).use()
    logging.getLogger("ndfd").warning("careful")
    assert "careful" in stream.getvalue()
    assert "\x1b[" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_the_form_can_be_chosen_against_the_stream() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    prepare_logs(LoggingSettings(format="json"), terminal).use()
    logging.getLogger("ndfd").warning("one")
    prepare_logs(LoggingSettings(format="console"), pipe).use()
    logging.getLogger("ndfd").warning("two")
    assert terminal.getvalue().startswith("{")
    assert "two" in pipe.getvalue()
    assert "\x1b[" not in pipe.getvalue()


def test_what_is_less_serious_than_the_level_is_not_written() -> None:
    stream = io.StringIO()
    prepare_logs(LoggingSettings(level="error"), stream).use()
    logging.getLogger("ndfd").warning("not written")
    structlog.stdlib.get_logger("ndfd").warning("not written")
    logging.getLogger("ndfd").error("written")
    assert [line["event"] for line in lines(stream)] == ["written"]


def test_setting_up_twice_does_not_double_the_lines() -> None:
    stream = io.StringIO()
    prepare_logs(LoggingSettings(), stream).use()
    prepare_logs(LoggingSettings(), stream).use()
    logging.getLogger("ndfd").info("once")
    assert len(lines(stream)) == 1


def test_what_a_record_quotes_moves_no_cursor_and_begins_no_record() -> None:
    for form, stream in (("json", io.StringIO()), ("console", Terminal())):
        prepare_logs(LoggingSettings(format=form), stream).use()  # type: ignore[arg-type]
        structlog.stdlib.get_logger("ndfd").error("quoted", reason="\x1b]0;owned\x07\x9b2J\u202e\nforged: line")
        (line,) = stream.getvalue().splitlines()
        assert "\x9b" not in line
        assert "\u202e" not in line
        assert "\x1b]" not in line
        assert "forged: line" in line
