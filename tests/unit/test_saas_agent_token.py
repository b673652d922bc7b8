from __future__ import annotations

import base64
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from odoo.addons.saas_agent.settings import Settings, read_settings
from odoo.addons.saas_agent.token import (
    AHEAD,
    EXPIRED,
    NOT_SET_UP,
    NOT_VALID,
    TokenError,
    check_token,
    load_public_key,
)

UID = "t0123456789ab"
MASTER = Ed25519PrivateKey.generate()


def make_token(key=MASTER, algorithm="EdDSA", drop=(), **changes):
    now = int(time.time())
    claims = {
        "iss": "saas",
        "aud": UID,
        "sub": "admin",
        "iat": now,
        "nbf": now,
        "exp": now + 60,
        "jti": "0123456789abcdef0123456789abcdef",
        **changes,
    }
    kept = {name: value for name, value in claims.items() if name not in drop}
    return jwt.encode(kept, key, algorithm=algorithm)


def check(token):
    return check_token(token, public_key=MASTER.public_key(), audience=UID)


def refusal(token):
    with pytest.raises(TokenError) as caught:
        check(token)
    return str(caught.value), caught.value.reason


def test_a_fresh_token_of_the_master_is_accepted():
    now = int(time.time())
    claims = check(make_token(exp=now + 60))
    assert claims.jti == "0123456789abcdef0123456789abcdef"
    assert claims.expires == now + 60


def test_a_late_token_is_refused_with_the_word_expired():
    now = int(time.time())
    token = make_token(iat=now - 61, nbf=now - 61, exp=now - 1)
    assert refusal(token) == (EXPIRED, "expired")


def test_a_token_for_another_tenant_is_refused():
    assert refusal(make_token(aud="tba9876543210")) == (
        NOT_VALID,
        "InvalidAudienceError",
    )


def test_a_token_for_several_tenants_is_refused():
    assert refusal(make_token(aud=[UID, "tba9876543210"])) == (
        NOT_VALID,
        "several audiences",
    )


def test_a_token_of_another_issuer_is_refused():
    assert refusal(make_token(iss="other")) == (NOT_VALID, "InvalidIssuerError")


def test_a_token_signed_by_another_key_is_refused():
    token = make_token(key=Ed25519PrivateKey.generate())
    assert refusal(token) == (NOT_VALID, "InvalidSignatureError")


def test_an_altered_token_is_refused():
    header, payload, signature = make_token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    claims["exp"] += 100
    altered = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().strip("=")
    assert refusal(f"{header}.{altered}.{signature}") == (
        NOT_VALID,
        "InvalidSignatureError",
    )


def test_an_unsigned_token_is_refused():
    assert refusal(make_token(key=None, algorithm="none")) == (
        NOT_VALID,
        "InvalidAlgorithmError",
    )


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused():
    secret = base64.b64encode(MASTER.public_key().public_bytes_raw()).decode()
    assert refusal(make_token(key=secret, algorithm="HS256")) == (
        NOT_VALID,
        "InvalidAlgorithmError",
    )


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "iat", "nbf", "exp", "jti"])
def test_a_token_without_one_of_its_claims_is_refused(claim):
    assert refusal(make_token(drop=[claim])) == (
        NOT_VALID,
        "MissingRequiredClaimError",
    )


def test_a_token_for_an_unknown_user_is_refused():
    assert refusal(make_token(sub="demo")) == (NOT_VALID, "for something else")


def test_a_token_that_is_not_valid_yet_is_refused():
    later = int(time.time()) + 30
    assert refusal(make_token(nbf=later)) == (AHEAD, "not valid yet: the clocks differ")


def test_a_master_whose_clock_is_a_little_ahead_is_trusted():
    ahead = int(time.time()) + 5
    assert check(make_token(iat=ahead, nbf=ahead, exp=ahead + 60))


def test_a_token_with_a_long_life_is_refused():
    token = make_token(exp=int(time.time()) + 3600)
    assert refusal(token) == (NOT_VALID, "valid for too long")


@pytest.mark.parametrize("jti", ["short", "x" * 65, "a' OR '1'='1' --abc", ""])
def test_a_token_with_an_unusable_id_is_refused(jti):
    assert refusal(make_token(jti=jti)) == (NOT_VALID, "unusable id")


@pytest.mark.parametrize("token", ["", "x" * 3000])
def test_no_token_and_an_endless_one_are_refused(token):
    assert refusal(token) == (NOT_VALID, "missing or too long")


@pytest.mark.parametrize("token", ["x", "a.b.c", "ä.ö.ü", "..", "\0"])
def test_what_is_no_token_is_refused(token):
    assert refusal(token)[0] == NOT_VALID


def test_no_refusal_names_the_token():
    token = make_token(aud="tba9876543210")
    assert not any(part in text for part in token.split(".") for text in refusal(token))


@pytest.mark.parametrize("text", ["", "none", "AAAA", "not base64!"])
def test_a_system_without_a_usable_key_accepts_nothing(text):
    with pytest.raises(TokenError, match=NOT_SET_UP):
        load_public_key(text)


def test_a_system_without_a_uid_accepts_nothing():
    with pytest.raises(TokenError, match=NOT_SET_UP):
        check_token(make_token(aud=""), public_key=MASTER.public_key(), audience="")


def test_the_key_is_read_from_the_section_of_the_configuration(tmp_path):
    path = tmp_path / "odoo.conf"
    path.write_text(
        "[options]\ndb_password = 100%sure\n[saas_agent]\nuid = t1\npublic_key = abc=\n"
    )
    assert read_settings(str(path)) == Settings(uid="t1", public_key="abc=")


def test_a_configuration_without_the_section_gives_nothing(tmp_path):
    path = tmp_path / "odoo.conf"
    path.write_text("[options]\n")
    assert read_settings(str(path)) == Settings()
    assert read_settings(str(tmp_path / "absent")) == Settings()
