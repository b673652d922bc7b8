"""The master's word to one tenant, soon: its bearer may log in, or ask for its use."""

from __future__ import annotations

import datetime
import uuid

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from .errors import RefusedError

ISSUER = "saas"
SUBJECT = "admin"
SUBJECT_OF_USE = "use"
ALGORITHM = "EdDSA"

LIFETIME = datetime.timedelta(seconds=60)
"""How long a token can be used; the tenant takes each only once."""


def make_token(
    private_key_pem: str | bytes,
    uid: str,
    now: datetime.datetime | None = None,
    *,
    subject: str = SUBJECT,
) -> str:
    """A token that logs its bearer in to that tenant as its administrator.

    :param private_key_pem: the master's Ed25519 key
    :param now: aware, or naive in UTC as Odoo's are; this moment when left out
    :param str subject: what it is good for instead
    :raise RefusedError: ``key_missing`` or ``key_invalid``
    """
    moment = now or datetime.datetime.now(datetime.UTC)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    claims = {
        "iss": ISSUER,
        "aud": uid,
        "sub": subject,
        "iat": moment,
        "nbf": moment,
        "exp": moment + LIFETIME,
        "jti": uuid.uuid4().hex,
    }
    return jwt.encode(claims, _read_key(private_key_pem), algorithm=ALGORITHM)


def _read_key(pem: str | bytes) -> Ed25519PrivateKey:
    data = pem.encode() if isinstance(pem, str) else pem
    if not data.strip():
        raise RefusedError(
            "The key that signs logins is missing on this process.",
            reason="key_missing",
        )
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise RefusedError(
            "The key that signs logins is not an Ed25519 private key in PEM.",
            reason="key_invalid",
        )
    return key
