"""The blocking client over the real door."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pytest

from ndfd.client import Client, Conversion
from ndfd.errors import (
    DamagedDocument,
    DocumentTooLarge,
    InputError,
    NdfdError,
    OutputError,
    ProtocolError,
    Unavailable,
    UsageError,
)
from ndfd.model.conversion import ConvertOptions, OutputFormat, PageReport
from ndfd.model.document import PageStatus
from tests.server.doors import LIMITS, Doors, open_descriptors
from tests.server.results import sealed_result


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that can be converted."""
    file = tmp_path / "a document.pdf"
    file.write_bytes(b"from a file")
    return file


def test_the_status_and_the_service_are_told(client: Client, doors: Doors) -> None:
    assert client.status() == doors.status()
    assert client.info().product == "ndfd"


def test_the_machine_is_told_as_the_daemon_sees_it(client: Client, doors: Doors) -> None:
    info = client.hardware()
    assert info.hardware == doors.run(doors.hardware())
    assert (info.generation, info.version, info.engine) == (1, doors.status().version, doors.status().engine)
    # These doors' workers lack a measure, and no jobs are kept.
    assert info.features == ("fallback-fonts",)


def test_a_file_is_converted_under_its_name(client: Client, doors: Doors, path: Path) -> None:
    with client.convert(path) as conversion:
        assert bytes(conversion.content) == b"# markdown of 11 bytes: from a file"
        assert conversion.text == "# markdown of 11 bytes: from a file"
        assert conversion.report.size_bytes == 35
    assert doors.conversions.seen[0][0].name == "a document.pdf"


def test_the_options_arrive(client: Client, doors: Doors) -> None:
    options = ConvertOptions(OutputFormat.HTML, password="p", name="n", deadline_s=0.25, pool="bulk")
    client.convert(b"x", options).close()
    assert doors.conversions.seen[0][0] == options


def test_a_descriptor_means_its_whole_file(client: Client, path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    os.lseek(fd, 5, os.SEEK_SET)
    with client.convert(fd) as conversion:
        assert "11 bytes: from a file" in conversion.text
    os.close(fd)


def test_bytes_are_converted(client: Client) -> None:
    with client.convert(b"some bytes") as conversion:
        assert "10 bytes: some bytes" in conversion.text


def test_a_pipe_is_read_to_its_end(client: Client) -> None:
    reading, writing = os.pipe()
    threading.Thread(target=lambda: (os.write(writing, b"piped"), os.close(writing))).start()
    with client.convert(reading) as conversion:
        assert "5 bytes: piped" in conversion.text
    os.close(reading)


def test_a_named_pipe_is_read_to_its_end(client: Client, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(b"piped",)).start()
    with client.convert(tmp_path / "fifo") as conversion:
        assert "5 bytes: piped" in conversion.text


def test_a_file_object_means_what_a_read_of_it_would_give(client: Client, path: Path) -> None:
    with path.open("rb") as file, client.convert(file) as conversion:
        assert "11 bytes: from a file" in conversion.text
    with path.open("rb") as file:
        file.read(5)
        with client.convert(file) as conversion:
            assert "6 bytes: a file" in conversion.text
    with client.convert(io.BytesIO(b"in memory")) as conversion:
        assert "9 bytes: in memory" in conversion.text


def test_pages_are_told_in_their_order_before_the_result(client: Client) -> None:
    pages: list[PageReport] = []
    with client.convert(b"x", ConvertOptions(name="pages:3"), on_page=pages.append) as conversion:
        assert conversion.report.pages == 3
    assert pages == [PageReport(number, 3, PageStatus.OK) for number in (1, 2, 3)]


def test_an_error_comes_back_as_the_class_that_it_was(client: Client) -> None:
    with pytest.raises(DamagedDocument) as damaged:
        client.convert(b"x", ConvertOptions(name="fail:document-damaged"))
    assert (damaged.value.message, damaged.value.page) == ("it is document-damaged", 3)
    assert damaged.value.hint == DamagedDocument.default_hint
    with client.convert(b"x") as conversion:
        assert conversion.report.pages == 1


def test_what_cannot_be_read_is_an_input_error_that_names_it(client: Client, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.pdf: No such file"):
        client.convert(tmp_path / "nothing.pdf")
    with pytest.raises(InputError, match="is a directory"):
        client.convert(tmp_path)
    with pytest.raises(InputError, match="descriptor 987: Bad file descriptor"):
        client.convert(987)
    assert client.status().pages == 60


def test_a_descriptor_that_is_not_open_for_reading_is_refused(client: Client, path: Path) -> None:
    fd = os.open(path, os.O_WRONLY)
    with pytest.raises(UsageError, match="not open for reading"):
        client.convert(fd)
    os.close(fd)


def test_a_document_over_the_daemons_limit_is_told_so(client: Client) -> None:
    with pytest.raises(DocumentTooLarge):
        client.convert(bytes(LIMITS.document_max_bytes + 1))


def test_a_large_document_and_a_large_result_pass_whole(client: Client) -> None:
    with client.convert(bytes(LIMITS.document_max_bytes), ConvertOptions(name="big:20000000")) as conversion:
        assert conversion.content == b"x" * 20_000_000


def test_a_result_is_written_to_a_descriptor(client: Client, tmp_path: Path) -> None:
    with client.convert(b"x", ConvertOptions(name="big:3000000")) as conversion, (tmp_path / "out").open("ab") as out:
        conversion.write_to(out.fileno())
    assert (tmp_path / "out").stat().st_size == 3_000_000


def test_a_result_that_cannot_be_written_is_an_output_error(client: Client) -> None:
    with client.convert(b"x") as conversion, Path("/dev/full").open("wb", buffering=0) as full:
        with pytest.raises(OutputError, match="No space left"):
            conversion.write_to(full.fileno())
        reading, writing = os.pipe()
        os.close(reading)
        with pytest.raises(BrokenPipeError):
            conversion.write_to(writing)
        os.close(writing)


def test_views_of_the_content_outlive_the_conversion(client: Client) -> None:
    with client.convert(b"x") as conversion:
        content = conversion.content
    assert bytes(content[:10]) == b"# markdown"


def test_an_empty_result_is_empty(client: Client) -> None:
    with client.convert(b"x", ConvertOptions(name="big:0")) as conversion:
        assert bytes(conversion.content) == b""


def test_a_result_that_is_not_sealed_or_not_as_long_as_said_is_not_touched() -> None:
    sound = sealed_result(b"sound", ConvertOptions())
    unsealed = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.write(unsealed, b"sound")
    for fd, said in ((unsealed, "not a sealed memfd"), (os.dup(0), "not a sealed memfd")):
        with pytest.raises(ProtocolError, match=said):
            Conversion(sound.report, fd, 1)
    longer = sealed_result(b"longer than that", ConvertOptions())
    with pytest.raises(ProtocolError, match="has 16 bytes"):
        Conversion(sound.report, longer.fd, 1)
    Conversion(sound.report, sound.fd, 1).close()


def test_no_outcome_leaves_a_descriptor_behind(doors: Doors) -> None:
    doors.wait_idle()
    before = open_descriptors()
    with Client.connect(doors.varlink_path) as client:
        for name in ("ok", "pages:4", "fail:worker-crashed", "fault"):
            try:
                client.convert(b"x", ConvertOptions(name=name), on_page=lambda page: None).close()
            except NdfdError:
                continue
    doors.wait_idle()
    assert open_descriptors() == before


def test_a_callback_that_raises_ends_the_conversion(doors: Doors) -> None:
    def refuse(page: PageReport) -> None:
        raise KeyboardInterrupt

    client = Client.connect(doors.varlink_path)
    with pytest.raises(KeyboardInterrupt):
        client.convert(b"x", ConvertOptions(name="pages:500"), on_page=refuse)
    doors.wait_idle()
    with pytest.raises(Unavailable):
        client.status()
