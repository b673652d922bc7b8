"""Secrets that many may write and one may read, and keys that others derive from.

A sealed text opens only with the private key, which the worker alone has. Each tenant
has a data key of its own: destroying it destroys what was derived from it.

What seals is loaded where it is used: a copy that needs none of it is over sooner.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets

from .errors import RefusedError

KEY_SIZE = 32
"""Bytes of a public, private or data key."""

PURPOSES = ("database", "admin", "backup", "restore")


def new_key_pair() -> tuple[str, str]:
    """A new private key and its public key, both in hexadecimal."""
    from nacl.public import PrivateKey

    private = PrivateKey.generate()
    return bytes(private).hex(), bytes(private.public_key).hex()


def seal(public_key: str, text: str) -> str:
    """Close a text so that only the holder of the private key can read it.

    :param str public_key: 32 bytes in hexadecimal, as the key file holds it
    :return: base64; differs each time
    :raise RefusedError: ``key_missing`` or ``key_invalid``
    """
    from nacl.public import PublicKey, SealedBox

    box = SealedBox(PublicKey(_read_key(public_key, "public")))
    return base64.b64encode(box.encrypt(text.encode())).decode()


def unseal(private_key: str, sealed: str) -> str:
    """Open what ``seal`` closed.

    :raise RefusedError: ``key_missing``, ``key_invalid`` or ``key_wrong`` (sealed for
        another key, or altered)
    """
    from nacl.exceptions import CryptoError
    from nacl.public import PrivateKey, SealedBox

    box = SealedBox(PrivateKey(_read_key(private_key, "private")))
    try:
        return box.decrypt(base64.b64decode(sealed, validate=True)).decode()
    except (CryptoError, binascii.Error, ValueError) as error:
        raise RefusedError(
            "A stored secret cannot be opened with this server's private key: it was"
            " sealed for another key, or altered. Give the server the key that it had,"
            " or enter the secret again.",
            reason="key_wrong",
        ) from error


def new_data_key() -> str:
    """A new tenant's data key; to be stored sealed only."""
    return secrets.token_urlsafe(KEY_SIZE)


def derive(data_key: str, purpose: str) -> str:
    """The secret for one purpose: 43 characters of ``A-Za-z0-9_-``, always the same.

    :param str purpose: one of ``PURPOSES``
    """
    if purpose not in PURPOSES:
        raise ValueError(f"unknown purpose {purpose!r}")
    try:
        key = base64.urlsafe_b64decode(data_key + "=")
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise RefusedError("A tenant's data key is damaged.", reason="key_invalid")
    digest = hashlib.blake2b(
        purpose.encode(), key=key, digest_size=KEY_SIZE, person=b"saas.derive"
    ).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _read_key(text: str, kind: str) -> bytes:
    text = text.strip()
    if not text:
        raise RefusedError(
            f"The {kind} key for sealing is missing on this process.",
            reason="key_missing",
        )
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise RefusedError(
            f"The {kind} key for sealing is damaged: {KEY_SIZE} bytes in hexadecimal"
            " are expected.",
            reason="key_invalid",
        )
    return key
