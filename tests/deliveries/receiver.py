"""A web server that notes what it is sent and answers as the test says."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    #: By name, in lower case.
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and what is answered."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    #: Called with the handler and the number of the request from 0, in the server's thread.
    answer: Callable[[BaseHTTPRequestHandler, int], None] = lambda handler, number: reply(handler, 204)
    #: Set in the end, for answers that wait.
    closing: threading.Event = field(default_factory=threading.Event)

    def ids(self) -> list[str]:
        """Of the deliveries, as they came."""
        return [each.headers["ndfd-delivery"] for each in self.received]


def reply(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    """A whole answer."""
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextlib.contextmanager
def receiver(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """A server on a port of its own."""
    found = Receiver()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                number = len(found.received)
                found.received.append(Received(self.path, headers, body))
            with contextlib.suppress(OSError):  # The other side may have gone.
                found.answer(self, number)

        def log_message(self, *arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    found.url = f"{'http' if tls is None else 'https'}://localhost:{server.server_port}/in?x=1"
    try:
        yield found
    finally:
        found.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
