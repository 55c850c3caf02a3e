"""SIP over TLS (RFC 3261 §26.2.1): the connections of `listen/tcp.py` with TLS between socket and framing.

TLS runs over memory buffers and not in the event loop's own transport: a connection counts among the others, and is
swept, from its first octet on and not only when its handshake is through.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from denwa.voip.listen.tcp import MAX_UNSENT, Connection, Target, TcpListener
from denwa.voip.sip.peer import CONNECT_TLS, Peer

log = logging.getLogger(__name__)
_PIECE: Final = 65_536
_FLOW_STEP: Final = -1


class CertificateFault(Exception):
    """Certificate, key or authorities cannot be used; the text names the file and the reason."""


class Certificates:
    """Our certificate with its key, and the authorities that gateways' certificates are checked against (None: the
    system's). Read again when the files change; what cannot be used leaves the old ones in force.

    `ask_clients`: who connects may show a certificate of these authorities and is known by its name then; one of others
    ends the connection.
    """

    def __init__(self, certificate: Path, key: Path, ca_file: Path | None = None, *, ask_clients: bool = False) -> None:
        """Raises CertificateFault."""
        self.ask_clients = ask_clients
        self._files = (certificate, key, *([ca_file] if ca_file else []))
        self._certificate, self._key, self._ca_file = certificate, key, ca_file
        self._stamp = self._look()
        self._load()

    def _load(self) -> None:
        try:
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.minimum_version = ssl.TLSVersion.TLSv1_2
            server.options |= ssl.OP_NO_RENEGOTIATION
            server.load_cert_chain(self._certificate, self._key, password=_no_password)
            if self.ask_clients:
                server.verify_mode = ssl.CERT_OPTIONAL
                if self._ca_file is not None:
                    server.load_verify_locations(self._ca_file)
                else:
                    server.load_default_certs(ssl.Purpose.CLIENT_AUTH)
            client = ssl.create_default_context(cafile=str(self._ca_file) if self._ca_file else None)
            client.load_cert_chain(self._certificate, self._key, password=_no_password)
            expires = x509.load_pem_x509_certificate(self._certificate.read_bytes()).not_valid_after_utc.timestamp()
        except (OSError, ValueError) as fault:  # an SSLError is an OSError
            raise CertificateFault(f"{self._certificate}, {self._key}: {_why(fault)}") from None
        self.server, self.client, self.expires = server, client, expires

    def _look(self) -> list[tuple[int, int, int]]:
        found = []
        for file in self._files:
            try:
                stat = os.stat(file)
            except OSError:
                found.append((0, 0, 0))
            else:
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return found

    def reload(self, *, always: bool = False) -> bool:
        """Read the files again if they changed (or `always`). True: new connections use what they hold now."""
        stamp = self._look()
        if stamp == self._stamp and not always:
            return False
        self._stamp = stamp
        try:
            self._load()
        except CertificateFault as fault:
            log.error("the certificate is not changed: %s", fault)
            return False
        log.info("certificate read again from %s", self._certificate)
        return True


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _why(fault: Exception) -> str:
    if isinstance(fault, ssl.SSLError):
        return fault.reason or "no PEM certificate and key"
    return str(getattr(fault, "strerror", None) or fault)


class TlsListener(TcpListener):
    """As `TcpListener`; flows are numbers below CONNECT_TLS. `names`: whose certificate is expected at an address that
    we connect to; no connection is opened to others (a phone is reached on the one that it opened). `identified(peer,
    names)` is told of each connection whose certificate was checked, `gone(peer)` of each that is over."""

    flows = staticmethod(lambda: itertools.count(CONNECT_TLS - 1, _FLOW_STEP))

    def __init__(
        self,
        *arguments: Any,
        certificates: Certificates,
        names: Mapping[Target, str],
        identified: Callable[[Peer, Sequence[str]], object] = lambda peer, names: None,
        gone: Callable[[Peer], None] = lambda peer: None,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, **more)
        self.identified = identified
        self._gone = gone
        self.certificates = certificates
        self._names = names
        self.failed_handshakes = 0

    def _incoming(self, index: int) -> Connection:
        return TlsConnection(self, index)

    def _outgoing(self, target: Target) -> Connection:
        return TlsConnection(self, None, self._names[target])

    def closed(self, connection: Connection) -> None:
        super().closed(connection)
        if connection.flow:
            self._gone((*connection.address, connection.flow))

    def _connect_and_send(self, target: Target, data: bytes) -> None:
        if target in self._names:
            super()._connect_and_send(target, data)
        else:
            self.lose(data)

    def _sweep(self) -> None:
        self.certificates.reload()
        super()._sweep()


class TlsConnection(Connection):
    """One TLS connection: `name` is that of the server when we opened it."""

    def __init__(self, listener: TlsListener, index: int | None = None, name: str = "") -> None:
        super().__init__(listener, index)
        self._tls_listener = listener
        self._received, self._to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        certificates = listener.certificates
        self._tls = (certificates.client if name else certificates.server).wrap_bio(
            self._received, self._to_send, server_side=not name, server_hostname=name or None
        )
        self._name = name
        self._ready = False
        self._early: list[bytes] = []  # to be sent when the handshake is through
        self._early_size = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if not self._over:
            self._shake_hands()

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._received.write(data)
        if not self._ready and not self._shake_hands():
            return
        self._step(self._read)

    def _shake_hands(self) -> bool:
        """Go on with the handshake. True: it is through."""
        if not self._step(self._tls.do_handshake):
            return False
        self._ready = True
        if names := [self._name] if self._name else self._shown():
            self._tls_listener.identified((*self.address, self.flow), names)
        early, self._early = self._early, []
        for data in early:
            self._write(data)
        return not self._over

    def _shown(self) -> list[str]:
        """The names in the certificate that the other side has shown, when it was asked (RFC 5922 §7.1)."""
        if not self._tls_listener.certificates.ask_clients:
            return []
        certificate = self._tls.getpeercert() or {}
        return [str(entry[1]) for entry in certificate.get("subjectAltName", ()) if entry[0] == "DNS"]

    def _step(self, action: Callable[[], None]) -> bool:
        """Do it and send what TLS wants sent. False: it wants more octets first, or the connection is over."""
        try:
            action()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLZeroReturnError:
            self.close()
            return False
        except ssl.SSLError as fault:
            self._tls_listener.failed_handshakes += not self._ready
            log.info("TLS with %s failed: %s", self.address[0], fault.reason or "closed")
            self._flush()  # the alert
            self.close()
            return False
        finally:
            if not self._over:
                self._flush()
        return True

    def _read(self) -> None:
        while not self._over:
            data = self._tls.read(_PIECE)  # raises SSLWantReadError when there is no more
            if not data:
                self.close()
                return
            self._take(data)

    def _write(self, data: bytes) -> None:
        if self._ready:
            self._step(lambda: self._put(data))
            return
        self._early_size += len(data)
        if self._early_size > MAX_UNSENT:
            self.abort()
        else:
            self._early.append(data)

    def _put(self, data: bytes) -> None:
        self._tls.write(data)

    def _flush(self) -> None:
        if self._to_send.pending:
            self._transport.write(self._to_send.read())

    def close(self) -> None:
        if self._ready and not self._over:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()  # our close_notify; the peer's is not waited for
            self._flush()
        super().close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        early, self._early = self._early, []
        for data in early:
            self._tls_listener.lose(data)
