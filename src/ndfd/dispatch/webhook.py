"""A delivery to a web server: one signed POST, and what its answer means.

Imported only where a webhook is configured: urllib3 and what it stands on cost 20 ms and some megabytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from ndfd import __version__
from ndfd.dispatch.hooks import Webhook
from ndfd.model.jobs import Job
from ndfd.model.printable import printable

#: So much of an answer is read, and so much of that is kept.
_ANSWER_MAX_BYTES = 4096
_SHOWN_CHARACTERS = 200

_GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a POST."""

    #: None: delivered.
    failure: str | None = None
    #: Trying again makes no sense.
    refused: bool = False
    #: Seconds after which the receiver wants to be tried again.
    retry_after_s: float | None = None


def body_of(delivery_id: str, job: Job) -> bytes:
    """The delivery as JSON."""
    return msgspec.json.encode({"delivery": delivery_id, "event": job.state.value, "job": job})


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What proves to the receiver, who knows the secret, that these bytes were sent from here at that time."""
    return "v1=" + hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


class Post:
    """One attempt. `run` blocks a thread; `cut` ends it from another."""

    def __init__(self, hook: Webhook, delivery_id: str, body: bytes, sent_at: float, tls: ssl.SSLContext) -> None:
        """`sent_at` is in seconds since 1970."""
        timestamp = str(int(sent_at))
        self._body = body
        self._headers = {
            "Content-Type": "application/json",
            "User-Agent": f"ndfd/{__version__}",
            "Connection": "close",
            "Ndfd-Delivery": delivery_id,
            "Ndfd-Timestamp": timestamp,
            "Ndfd-Signature": signature(hook.secret, timestamp, body),
        }
        url = urlsplit(hook.url)
        assert url.hostname is not None
        self._host = url.netloc
        self._path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        self._connection: HTTPConnection
        if url.scheme == "https":
            self._connection = HTTPSConnection(url.hostname, url.port, timeout=hook.timeout_s, ssl_context=tls)
        else:
            self._connection = HTTPConnection(url.hostname, url.port, timeout=hook.timeout_s)
        self._timeout_s = hook.timeout_s
        self._is_cut = False

    def run(self) -> Answer:
        """Sends it, and reads at most the beginning of the answer. Never raises for what the network does.

        The timeout of the sockets is for each step: `cut` is what ends one that goes on and on.
        """
        try:
            # No proxy, no redirection, no second attempt: a connection of urllib3 does none of that by itself.
            self._connection.connect()
            if self._is_cut:
                raise TimeoutError
            self._connection.request("POST", self._path, self._body, self._headers, preload_content=False)
            response = self._connection.getresponse()
            if self._is_cut:
                # What was cut off among its headers looks like a whole answer.
                raise TimeoutError
            if 200 <= response.status < 300:
                return Answer()
            return self._refusal(response)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError, ValueError) as error:
            # Not the URL: a path may be what a receiver is known by to those who may post to it.
            said = f"no answer in {self._timeout_s:g} s" if self._is_cut or _is_timeout(error) else _reason(error)
            return Answer(f"{self._host}: {said}")
        finally:
            self._connection.close()

    def cut(self) -> None:
        """Has `run` return soon."""
        self._is_cut = True
        connected = self._connection.sock
        if connected is not None:
            with contextlib.suppress(OSError):
                # Not the method of an SSLSocket, which would take its state away from the thread that reads.
                socket.socket.shutdown(connected, socket.SHUT_RDWR)

    def _refusal(self, response: urllib3.BaseHTTPResponse) -> Answer:
        text = b""
        with contextlib.suppress(OSError, http.client.HTTPException, urllib3.exceptions.HTTPError):
            text = response.read(_ANSWER_MAX_BYTES, decode_content=False)
        shown = printable(" ".join(text.decode("utf-8", "replace").split()), _SHOWN_CHARACTERS)
        reason = printable(response.reason or "", 40)
        failure = f"{self._host} answered {response.status} {reason}".rstrip() + (f": {shown}" if shown else "")
        return Answer(failure, response.status == _GONE, _retry_after(response.headers.get("Retry-After")))


def _retry_after(value: str | None) -> float | None:
    """Seconds, of a number of them or a date (RFC 9110, 10.2.3); None for what is neither."""
    if value is None:
        return None
    try:
        return float(urllib3.Retry().parse_retry_after(value))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError, TypeError):
        return None


def _is_timeout(error: Exception) -> bool:
    # A connection that is refused is a timeout to urllib3, too.
    timeouts = (TimeoutError, urllib3.exceptions.TimeoutError)
    return isinstance(error, timeouts) and not isinstance(error, urllib3.exceptions.NewConnectionError)


def _reason(error: Exception) -> str:
    cause = error
    while cause.__cause__ is not None and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__
    text = str(getattr(cause, "strerror", None) or getattr(cause, "reason", None) or cause) or type(cause).__name__
    if isinstance(cause, ssl.SSLError):
        text = f"TLS: {getattr(cause, 'verify_message', '') or text}"
    return printable(text, _SHOWN_CHARACTERS)
