"""What a drill has proven, signed so that anybody can see that the master said it.

The signed text is kept word for word, so that a later change of how it is written does
not make older certificates worthless.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from odoo.addons.saas.engine.errors import RefusedError

ALGORITHM = "Ed25519"
KEY_SIZE = 32


def write(content: Mapping[str, str | int]) -> str:
    """The text that is signed: the same for the same content.

    Numbers are whole, as people and programs write fractions in many ways.
    """
    return json.dumps(
        dict(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def sign(private_pem: str, text: str) -> str:
    """The signature of a text, in base64.

    :raise RefusedError: ``key_missing`` or ``key_invalid``
    """
    return base64.b64encode(_read_private(private_pem).sign(text.encode())).decode()


def verify(public: str, text: str, signature: str) -> bool:
    """Whether that signature of that text is by that key.

    :param str public: raw key in base64
    :raise RefusedError: ``key_missing`` or ``key_invalid``
    """
    key = _read_public(public)
    try:
        key.verify(base64.b64decode(signature, validate=True), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def public_pem(public: str) -> str:
    """A public key as other programs want it.

    :raise RefusedError: ``key_missing`` or ``key_invalid``
    """
    pem = _read_public(public).public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()


def fingerprint(public: str) -> str:
    """What people compare: 16 hexadecimal digits."""
    raw = _read_public(public).public_bytes_raw()
    return hashlib.sha256(raw).hexdigest()[:16]


def _read_private(pem: str) -> Ed25519PrivateKey:
    if not pem.strip():
        raise _missing()
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise _invalid()
    return key


def _read_public(text: str) -> Ed25519PublicKey:
    if not text.strip():
        raise _missing()
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != KEY_SIZE:
        raise _invalid()
    return Ed25519PublicKey.from_public_bytes(raw)


def _missing() -> RefusedError:
    return RefusedError(
        "The key of certificates is missing on this process; start the stack's keys "
        "again.",
        reason="key_missing",
    )


def _invalid() -> RefusedError:
    return RefusedError(
        "The key of certificates is not an Ed25519 key.", reason="key_invalid"
    )
