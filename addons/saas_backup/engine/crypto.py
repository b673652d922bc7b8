"""Encryption of objects as streams: AES-256-GCM in chunks (the STREAM construction).

Every object has a key of its own, derived from the tenant's backup key, a random salt
and the object's name. So an object that was exchanged for another one does not open,
and no two chunks under one key have the same nonce. The last chunk is marked: an object
that was cut does not open either.

    magic (8 bytes) · salt (32) · chunks of 1 MiB and a tag of 16 bytes each
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator

from odoo.addons.saas.engine.errors import RefusedError

from .store import BinaryReader, read_exactly

MAGIC = b"saasbk1\n"
SALT_SIZE = 32
CHUNK = 2**20
TAG = 16
_PREFIX = 7


def encrypt(parts: Iterable[bytes], key: bytes, name: str) -> Iterator[bytes]:
    """The object of that name, of what the parts are together."""
    salt = os.urandom(SALT_SIZE)
    yield MAGIC + salt
    rest = iter(parts)
    # What makes them starts with the first, and works on while the library is loaded.
    buffer = bytearray(next(rest, b""))
    sealer = _Sealer(key, salt, name)
    for part in itertools.chain((b"",), rest):
        buffer += part
        # One chunk stays behind: only at the end it is known which one is the last.
        while len(buffer) > CHUNK:
            yield sealer.seal(bytes(buffer[:CHUNK]), last=False)
            del buffer[:CHUNK]
    yield sealer.seal(bytes(buffer), last=True)


def decrypt(stream: BinaryReader, key: bytes, name: str) -> Iterator[bytes]:
    """What the object of that name holds; each part was verified before it is given.

    :raise RefusedError: ``damaged``; what was given until then is not the whole
    """
    header = read_exactly(stream, len(MAGIC) + SALT_SIZE)
    if header[: len(MAGIC)] != MAGIC or len(header) < len(MAGIC) + SALT_SIZE:
        raise _damaged(name)
    sealer = _Sealer(key, header[len(MAGIC) :], name)
    chunk = read_exactly(stream, CHUNK + TAG)
    while True:
        following = read_exactly(stream, CHUNK + TAG)
        yield sealer.unseal(chunk, last=not following)
        if not following:
            return
        chunk = following


class _Sealer:
    """Seals or opens the chunks of one object, in their order."""

    def __init__(self, key: bytes, salt: bytes, name: str) -> None:
        # Loading the library takes longer than a small copy does.
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        info = b"saas.backup.object\0" + MAGIC + name.encode()
        derived = HKDF(hashes.SHA256(), 32 + _PREFIX, salt, info).derive(key)
        self._cipher = AESGCM(derived[:32])
        self._prefix = derived[32:]
        self._name = name
        self._count = 0

    def _nonce(self, *, last: bool) -> bytes:
        nonce = self._prefix + self._count.to_bytes(4) + bytes([last])
        self._count += 1
        return nonce

    def seal(self, data: bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(self._nonce(last=last), data, None)

    def unseal(self, data: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._cipher.decrypt(self._nonce(last=last), data, None)
        except InvalidTag as error:
            raise _damaged(self._name) from error


def _damaged(name: str) -> RefusedError:
    return RefusedError(
        f"The object {name} in the store is damaged, cut or was exchanged; copies that "
        "need it cannot be restored. Use another copy.",
        reason="damaged",
    )
