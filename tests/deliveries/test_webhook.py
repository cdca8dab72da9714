"""One POST and its answer, with a real server, over TLS too."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest
import trustme

from ndfd.dispatch.hooks import Webhook
from ndfd.dispatch.webhook import Answer, Post, body_of
from ndfd.model.conversion import OutputFormat
from ndfd.model.job_states import JobState
from ndfd.model.jobs import Job
from tests.deliveries.receiver import Receiver, receiver, reply

SECRET = b"sixteen-characters"
JOB = Job("0" * 26, JobState.SUCCEEDED, 1000, OutputFormat.JSON, 7, 3, 1.5, name="a.pdf", labels={"x": "y"})


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def posted(url: str, timeout_s: float = 60.0, tls: ssl.SSLContext | None = None) -> Answer:
    hook = Webhook(url, SECRET, timeout_s)
    return Post(hook, "d1", body_of("d1", JOB), 1_700_000_000.9, tls or ssl.create_default_context()).run()


def test_a_receiver_who_knows_the_secret_can_check_and_read_it(there: Receiver) -> None:
    assert posted(there.url) == Answer()
    (got,) = there.received
    secret, timestamp, signature = SECRET, got.headers["ndfd-timestamp"].encode(), got.headers["ndfd-signature"]
    # As the reference of hooks.NAME.url says it.
    assert hmac.compare_digest(signature, "v1=" + hmac.new(secret, timestamp + b"." + got.body, "sha256").hexdigest())
    assert timestamp == b"1700000000"
    assert (got.path, got.headers["ndfd-delivery"]) == ("/in?x=1", "d1")
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("ndfd/")
    said = json.loads(got.body)
    assert (said["delivery"], said["event"]) == ("d1", "succeeded")
    assert said["job"]["id"] == JOB.id
    assert said["job"]["labels"] == {"x": "y"}


def test_another_secret_another_time_or_another_body_has_another_signature(there: Receiver) -> None:
    posted(there.url)
    (got,) = there.received
    for secret, timestamp, body in (
        (b"x", "1700000000", got.body),
        (SECRET, "1700000001", got.body),
        (SECRET, "1700000000", b"{}"),
    ):
        other = hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        assert got.headers["ndfd-signature"] != f"v1={other}"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_takes_the_delivery(there: Receiver, status: int) -> None:
    there.answer = lambda handler, number: reply(handler, status)
    assert posted(there.url) == Answer()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_what_is_answered_is_kept_as_one_line(there: Receiver, status: int) -> None:
    there.answer = lambda handler, number: reply(handler, status, b"no\r\n  \x1b[31mway\xff" + b"x" * 1000)
    answer = posted(there.url)
    assert answer.failure is not None
    assert answer.failure.startswith(f"localhost:{there.url.split(':')[2].split('/')[0]} answered {status} ")
    assert "no \\x1b[31mway\ufffdxxx" in answer.failure
    assert answer.failure.isprintable()
    assert len(answer.failure) < 400
    assert not answer.refused


def test_gone_is_for_good(there: Receiver) -> None:
    there.answer = lambda handler, number: reply(handler, 410)
    assert posted(there.url).refused


def test_a_redirection_is_not_followed(there: Receiver) -> None:
    with receiver() as elsewhere:
        there.answer = lambda handler, number: reply(handler, 307, Location=elsewhere.url)
        answer = posted(there.url)
        assert answer.failure is not None
        assert " answered 307 " in answer.failure
        assert elsewhere.received == []
    assert len(there.received) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("0", 0.0), ("soon", None), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("-5", None)],
)
def test_retry_after_is_understood(there: Receiver, value: str, seconds: float | None) -> None:
    there.answer = lambda handler, number: reply(handler, 503, Retry_After=value)
    assert posted(there.url).retry_after_s == seconds


def test_a_proxy_of_the_environment_is_not_used(there: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert posted(there.url) == Answer()


def test_an_answer_without_an_end_is_not_waited_for(there: Receiver) -> None:
    def endless(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.send_response(500)
        handler.end_headers()
        while not there.closing.is_set():
            handler.wfile.write(b"x" * 65536)

    there.answer = endless
    answer = posted(there.url)
    assert answer.failure is not None
    assert answer.failure.endswith("xxx…")


def cut_after(post: Post, received: Receiver) -> Answer:
    """Cuts the post once the server has the request."""

    def cut() -> None:
        while not received.received:
            time.sleep(0.005)
        post.cut()

    thread = threading.Thread(target=cut)
    thread.start()
    try:
        return post.run()
    finally:
        thread.join()


def drip(there: Receiver) -> None:
    """Answers a byte at a time, for ever: each comes long before the socket's own timeout."""

    def answer(handler: BaseHTTPRequestHandler, number: int) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not there.closing.wait(0.01):
            handler.wfile.write(b"x")

    there.answer = answer


def test_one_that_drips_can_be_cut_off(there: Receiver) -> None:
    drip(there)
    post = Post(Webhook(there.url, SECRET, 60.0), "d1", b"{}", 0.0, ssl.create_default_context())
    answer = cut_after(post, there)
    assert answer.failure is not None
    assert answer.failure.endswith("no answer in 60 s")


def test_one_that_takes_no_connection_or_says_nothing_is_a_failure() -> None:
    with contextlib.closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        refused = posted(f"http://127.0.0.1:{port}/")
        assert refused == Answer(f"127.0.0.1:{port}: Connection refused")
        unused.listen()
        silent = posted(f"http://127.0.0.1:{port}/", timeout_s=0.1)
        assert silent == Answer(f"127.0.0.1:{port}: no answer in 0.1 s")


def test_a_name_that_nobody_has_is_a_failure() -> None:
    answer = posted("http://nobody.invalid/")
    assert answer.failure is not None
    assert answer.failure.startswith("nobody.invalid: ")


def test_what_is_no_http_is_a_failure(there: Receiver) -> None:
    there.answer = lambda handler, number: handler.wfile.write(b"\xff\xfe garbage\r\n\r\n") and None
    answer = posted(there.url)
    assert answer.failure is not None


def test_a_certificate_is_checked() -> None:
    authority, stranger = trustme.CA(), trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    trusting, distrusting = ssl.create_default_context(), ssl.create_default_context()
    authority.configure_trust(trusting)
    stranger.configure_trust(distrusting)
    with receiver(context) as there:
        assert posted(there.url, tls=trusting) == Answer()
        assert len(there.received) == 1
        for tls, url in ((distrusting, there.url), (trusting, there.url.replace("localhost", "127.0.0.1"))):
            answer = posted(url, tls=tls)
            assert answer.failure is not None
            assert "TLS: " in answer.failure
        assert len(there.received) == 1


def test_one_that_drips_over_tls_can_be_cut_off() -> None:
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(trusting)
    with receiver(context) as there:
        drip(there)
        answer = cut_after(Post(Webhook(there.url, SECRET, 60.0), "d1", b"{}", 0.0, trusting), there)
        assert answer.failure is not None
        assert answer.failure.endswith("no answer in 60 s")
