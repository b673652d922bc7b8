"""The engine's socket behind TLS that asks for a client's certificate."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import pathlib
import socket
import ssl
import tempfile
import threading
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID


class _Authority:
    """Signs certificates; all of them for the loopback address."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _make_name(name)
        constraint = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._sign(self._name, self._key, constraint)
        self.pem = _pem(self._certificate)

    def issue(self, name: str) -> tuple[str, str]:
        """A new certificate and its key, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([address])
        return _pem(self._sign(_make_name(name), key, names)), _key_pem(key)

    def _sign(self, subject, key, extension):
        now = datetime.datetime.now(datetime.UTC)
        hour = datetime.timedelta(hours=1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - hour)
            .not_valid_after(now + hour)
            .add_extension(extension, critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())


def _make_name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class TlsRelay:
    """Takes TLS connections on a free port and passes them on to a socket."""

    def __init__(self, path: str) -> None:
        authority, stranger = _Authority("ours"), _Authority("stranger")
        self._path = path
        self._server_pem = "".join(authority.issue("engine"))
        self.ca, self.other_ca = authority.pem, stranger.pem
        self.cert, self.key = authority.issue("master")
        self.other_key = stranger.issue("other")[1]
        self._engines: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(cadata=self.ca)
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "pem")
            path.write_text(self._server_pem)
            self._context.load_cert_chain(path)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *details: object) -> None:
        self._server.close()

    def cut(self) -> None:
        """End all connections on the way, as a network that fails does."""
        while self._engines:
            with contextlib.suppress(OSError):
                self._engines.pop().shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, __ = self._server.accept()
                target = self._serve
                threading.Thread(target=target, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with (
            contextlib.suppress(OSError),
            connection,
            engine,
            self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ) as visitor,
        ):
            _shake_hands(visitor)
            engine.connect(self._path)
            self._engines.append(engine)
            pair = (engine, visitor)
            answers = threading.Thread(target=_pump, args=pair, daemon=True)
            answers.start()
            _pump(visitor, engine)
            answers.join()


def _shake_hands(visitor: ssl.SSLSocket) -> None:
    """Let in whom the context lets in; the others read why they are refused.

    They have sent their request already: a socket that is closed over it would take
    the answer away from them.
    """
    try:
        visitor.do_handshake()
    except ssl.SSLError:
        visitor.shutdown(socket.SHUT_WR)
        while visitor.recv(65536):
            pass
        raise


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
