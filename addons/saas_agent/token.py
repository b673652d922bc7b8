"""Checks the tokens that the master signs; plain Python, no Odoo."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import re
import time

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ISSUER = "saas"
SUBJECT = "admin"
SUBJECT_OF_USE = "use"
ALGORITHM = "EdDSA"
REQUIRED = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti")

LONGEST_TOKEN = 2048
"""Characters; a real one has about 350."""

LONGEST_LIFE = 300
"""Seconds between ``iat`` and ``exp``; the master grants 60."""

SKEW = 10
"""Seconds that the master's clock may be ahead; nothing is added to the end."""

JTI = re.compile(r"[A-Za-z0-9_-]{16,64}")


def _lt(sentence: str) -> str:
    """Mark a sentence as a term; who answers the request translates it."""
    return sentence


NOT_VALID = _lt(
    "This login link is not valid for this system. Please ask for a new one."
)
EXPIRED = _lt("This login link has expired. Please ask for a new one.")
USED = _lt("This login link has been used already. Please ask for a new one.")
AHEAD = _lt(
    "This login link is from the future: the clock of this system or of its provider "
    "is wrong. Please tell the provider."
)
NOT_SET_UP = _lt("This system is not set up for login links.")


class TokenError(Exception):
    """A token is refused.

    :param str message: one sentence for the person who followed the link
    :param str reason: what was wrong, for the log; never holds the token
    """

    def __init__(self, message: str, *, reason: str):
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Claims:
    """What a valid token says.

    :param str jti: its id, good once
    :param int expires: seconds since 1970; its id must be remembered until then
    """

    jti: str
    expires: int


def load_public_key(text: str) -> Ed25519PublicKey:
    """Read a raw Ed25519 public key in base64.

    :raise TokenError: if there is none, or it is no such key
    """
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (ValueError, binascii.Error) as error:
        raise TokenError(NOT_SET_UP, reason="no usable public key") from error


def check_token(
    token: str,
    *,
    public_key: Ed25519PublicKey,
    audience: str,
    subject: str = SUBJECT,
) -> Claims:
    """Verify signature, issuer, audience, subject and time of a token.

    Whether it was used before is up to the caller, who alone can remember.

    :param str audience: uid of this tenant
    :param str subject: what it is good for
    :raise TokenError: with a sentence for people and a reason for the log
    """
    if not audience:
        raise TokenError(NOT_SET_UP, reason="no uid configured")
    if not token or len(token) > LONGEST_TOKEN:
        raise TokenError(NOT_VALID, reason="missing or too long")
    try:
        claims = jwt.decode(
            token,
            public_key,
            # Fixed here: the algorithm that the token names decides nothing.
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=ISSUER,
            # Clocks may differ at the beginning, which is checked below.
            options={
                "require": list(REQUIRED),
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenError(EXPIRED, reason="expired") from error
    except jwt.PyJWTError as error:
        raise TokenError(NOT_VALID, reason=type(error).__name__) from error
    return _check_claims(claims, audience, subject)


def _check_claims(claims: dict, audience: str, subject: str) -> Claims:
    times = [claims[name] for name in ("iat", "nbf", "exp")]
    if not all(type(moment) in (int, float) for moment in times):
        raise TokenError(NOT_VALID, reason="a time that is no number")
    issued, begins, expires = times
    if max(issued, begins) > time.time() + SKEW:
        raise TokenError(AHEAD, reason="not valid yet: the clocks differ")
    if expires - issued > LONGEST_LIFE:
        raise TokenError(NOT_VALID, reason="valid for too long")
    # A list would make one token good for several tenants.
    if claims["aud"] != audience:
        raise TokenError(NOT_VALID, reason="several audiences")
    if claims["sub"] != subject:
        raise TokenError(NOT_VALID, reason="for something else")
    if not isinstance(claims["jti"], str) or not JTI.fullmatch(claims["jti"]):
        raise TokenError(NOT_VALID, reason="unusable id")
    return Claims(jti=claims["jti"], expires=int(expires))
