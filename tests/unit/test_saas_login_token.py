"""The token says who, where and for how long, and nobody else can say it."""

from __future__ import annotations

import datetime

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas.engine.login_token import SUBJECT_OF_USE, make_token

UID = "t0123456789ab"
NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.UTC)


def _pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def key():
    return ed25519.Ed25519PrivateKey.generate()


def _read(token, key, **options):
    return jwt.decode(
        token,
        key.public_key(),
        algorithms=["EdDSA"],
        audience=UID,
        issuer="saas",
        options=options,
    )


def test_the_claims_are_those_that_the_tenant_checks(key):
    claims = _read(
        make_token(_pem(key), UID, NOW),
        key,
        verify_exp=False,
        verify_nbf=False,
        verify_iat=False,
    )
    jti = claims.pop("jti")
    moment = int(NOW.timestamp())
    assert claims == {
        "iss": "saas",
        "aud": UID,
        "sub": "admin",
        "iat": moment,
        "nbf": moment,
        "exp": moment + 60,
    }
    assert len(jti) == 32


def test_a_token_of_this_moment_is_valid_now(key):
    assert _read(make_token(_pem(key), UID), key)["sub"] == "admin"


def test_a_moment_without_zone_is_utc(key):
    claims = _read(
        make_token(_pem(key), UID, NOW.replace(tzinfo=None)),
        key,
        verify_exp=False,
        verify_nbf=False,
        verify_iat=False,
    )
    assert claims["iat"] == int(NOW.timestamp())


def test_two_tokens_have_different_ids(key):
    tokens = [make_token(_pem(key), UID) for _ in range(2)]
    assert len({_read(token, key)["jti"] for token in tokens}) == 2


def test_a_token_for_one_tenant_is_none_for_another(key):
    with pytest.raises(jwt.InvalidAudienceError):
        _read(make_token(_pem(key), "tffffffffffff"), key)


def test_another_key_has_not_signed_it(key):
    other = ed25519.Ed25519PrivateKey.generate()
    with pytest.raises(jwt.InvalidSignatureError):
        _read(make_token(_pem(other), UID), key)


@pytest.mark.parametrize(
    ("pem", "reason"),
    [
        ("", "key_missing"),
        ("not a key", "key_invalid"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "key_invalid"),
    ],
)
def test_a_missing_or_wrong_key_is_named_and_not_shown(pem, reason):
    with pytest.raises(RefusedError) as failure:
        make_token(pem, UID)
    assert failure.value.reason == reason
    assert not pem or pem not in str(failure.value)


def test_a_token_can_be_made_for_something_else_than_a_login(key):
    claims = _read(make_token(_pem(key), UID, subject=SUBJECT_OF_USE), key)
    assert claims["sub"] == "use"
