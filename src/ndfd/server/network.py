"""What the HTTP door needs to listen on the network: made, and found wanting, before it is used."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

from ndfd.errors import ConfigError
from ndfd.server.http_door import BACKLOG


def listen_on_network(host: str, port: int) -> socket.socket:
    """A listening socket at a numeric address; `ConfigError` when the system refuses it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        # Else the address could not be used for a minute after the daemon has stopped (TIME_WAIT, RFC 9293). Not
        # SO_REUSEPORT, with which a second daemon would take half of the connections.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Else [::] would be IPv4's 0.0.0.0 as well, which the configuration did not say.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ConfigError(
            f"network.bind_address: cannot listen at {host} port {port}: {error.strerror}",
            hint="see who listens there with `ss -ltnp`, or choose another address",
        ) from None
    listener.setblocking(False)
    return listener


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with this certificate; `ConfigError` names the file that cannot be used."""
    for name, path in (("tls_certificate", certificate), ("tls_key", key)):
        try:
            # OpenSSL says of a file that it cannot open no more than "No such file"; a FIFO would keep it waiting.
            regular = path.is_file()
            if regular:
                path.open("rb").close()
        except OSError as error:
            raise ConfigError(f"network.{name}: {path} cannot be read: {error.strerror}") from None
        if not regular:
            raise ConfigError(f"network.{name}: {path} is no file, or is not there")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # With a key that is encrypted, OpenSSL would ask for its password on the terminal.
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or str(error)
        raise ConfigError(
            f"network.tls_certificate, tls_key: {certificate} and {key} are no certificate and its key in PEM, "
            f"without a password: {reason}"
        ) from None
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")
