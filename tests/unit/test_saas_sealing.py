"""What is sealed opens with one key only; what is derived stays the same."""

from __future__ import annotations

import base64
import re

import pytest

from odoo.addons.saas.engine import sealing
from odoo.addons.saas.engine.errors import RefusedError

SECRET = "pässword-71f3"


@pytest.fixture
def keys():
    return sealing.new_key_pair()


def test_a_sealed_text_opens_with_the_private_key(keys):
    private, public = keys
    assert sealing.unseal(private, sealing.seal(public, SECRET)) == SECRET


def test_a_sealed_text_does_not_hold_the_text_and_differs_each_time(keys):
    _private, public = keys
    first, second = sealing.seal(public, SECRET), sealing.seal(public, SECRET)
    assert first != second
    assert SECRET.encode() not in base64.b64decode(first)


def test_keys_may_end_with_a_line_break_as_files_do(keys):
    private, public = keys
    sealed = sealing.seal(f"{public}\n", SECRET)
    assert sealing.unseal(f"{private}\n", sealed) == SECRET


def test_another_key_does_not_open_it(keys):
    _private, public = keys
    other, _public = sealing.new_key_pair()
    with pytest.raises(RefusedError) as failure:
        sealing.unseal(other, sealing.seal(public, SECRET))
    assert failure.value.reason == "key_wrong"
    assert SECRET not in str(failure.value)


@pytest.mark.parametrize("position", [0, 40, -1])
def test_an_altered_text_does_not_open(keys, position):
    private, public = keys
    sealed = bytearray(base64.b64decode(sealing.seal(public, SECRET)))
    sealed[position] ^= 1
    with pytest.raises(RefusedError) as failure:
        sealing.unseal(private, base64.b64encode(sealed).decode())
    assert failure.value.reason == "key_wrong"


@pytest.mark.parametrize("sealed", ["", "not base64!", "AAAA"])
def test_what_was_never_sealed_does_not_open(keys, sealed):
    private, _public = keys
    with pytest.raises(RefusedError) as failure:
        sealing.unseal(private, sealed)
    assert failure.value.reason == "key_wrong"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "key_missing"),
        ("\n", "key_missing"),
        ("zz", "key_invalid"),
        ("00" * 31, "key_invalid"),
    ],
)
def test_a_missing_or_damaged_key_is_named(key, reason):
    for call in (sealing.seal, sealing.unseal):
        with pytest.raises(RefusedError) as failure:
            call(key, SECRET)
        assert failure.value.reason == reason
        assert "key for sealing" in str(failure.value)


def test_a_derived_secret_is_the_same_each_time_and_safe_everywhere():
    key = sealing.new_data_key()
    secret = sealing.derive(key, "database")
    assert secret == sealing.derive(key, "database")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", secret)


def test_derived_secrets_differ_by_purpose_and_by_key():
    keys = [sealing.new_data_key() for _ in range(2)]
    secrets = {sealing.derive(k, p) for k in keys for p in sealing.PURPOSES}
    assert len(secrets) == 2 * len(sealing.PURPOSES)
    assert not secrets & set(keys)


def test_an_unknown_purpose_is_a_fault():
    with pytest.raises(ValueError, match="unknown purpose 'databse'"):
        sealing.derive(sealing.new_data_key(), "databse")


@pytest.mark.parametrize("key", ["", "short", "x" * 44])
def test_a_damaged_data_key_is_refused(key):
    with pytest.raises(RefusedError) as failure:
        sealing.derive(key, "admin")
    assert failure.value.reason == "key_invalid"
