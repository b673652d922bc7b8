"""What is encrypted opens whole, by its own name and key, or not at all."""

from __future__ import annotations

import io
import json
import random

import pytest

from odoo.addons.saas.engine import sealing
from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas_backup.engine import crypto, keys

KEY = bytes(range(32))
NAME = "t1/packs/p1"
SIZES = [0, 1, crypto.CHUNK - 1, crypto.CHUNK, crypto.CHUNK + 1, 3 * crypto.CHUNK]


def seal(data, key=KEY, name=NAME, step=70_000):
    parts = (data[place : place + step] for place in range(0, len(data), step))
    return b"".join(crypto.encrypt(parts, key, name))


def unseal(sealed, key=KEY, name=NAME):
    return b"".join(crypto.decrypt(io.BytesIO(sealed), key, name))


def data_of(size):
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_opens(size):
    data = data_of(size)
    sealed = seal(data)
    assert unseal(sealed) == data
    chunks = max(1, -(-size // crypto.CHUNK))
    assert len(sealed) == 40 + size + 16 * chunks
    # One byte is found in anything.
    assert size < 64 or data[:64] not in sealed


def test_the_same_is_sealed_differently_each_time():
    assert seal(b"same") != seal(b"same")


@pytest.mark.parametrize("size", SIZES)
def test_another_key_or_another_name_does_not_open_it(size):
    sealed = seal(data_of(size))
    for key, name in ((bytes(32), NAME), (KEY, "t1/packs/p2"), (KEY, "t2/packs/p1")):
        with pytest.raises(RefusedError) as failure:
            unseal(sealed, key, name)
        assert failure.value.reason == "damaged"
        assert name in failure.value.message


@pytest.mark.parametrize("size", SIZES)
def test_no_bit_can_be_flipped(size):
    sealed = bytearray(seal(data_of(size)))
    for place in {0, 7, 8, 39, 40, len(sealed) // 2, len(sealed) - 17, len(sealed) - 1}:
        sealed[place] ^= 1
        with pytest.raises(RefusedError) as failure:
            unseal(bytes(sealed))
        assert failure.value.reason == "damaged"
        sealed[place] ^= 1
    assert unseal(bytes(sealed)) == data_of(size)


@pytest.mark.parametrize("size", [1, crypto.CHUNK, 3 * crypto.CHUNK])
def test_nothing_can_be_cut_off_or_added(size):
    sealed = seal(data_of(size))
    whole = 40 + crypto.CHUNK + 16
    for cut in (0, 1, 39, 40, 41, whole, whole + 5, len(sealed) - 1):
        if cut < len(sealed):
            with pytest.raises(RefusedError):
                unseal(sealed[:cut])
    for more in (b"x", seal(b""), sealed):
        with pytest.raises(RefusedError):
            unseal(sealed + more)


def test_chunks_cannot_change_places():
    sealed = seal(data_of(3 * crypto.CHUNK))
    size = crypto.CHUNK + 16
    first, second = sealed[40 : 40 + size], sealed[40 + size : 40 + 2 * size]
    with pytest.raises(RefusedError):
        unseal(sealed[:40] + second + first + sealed[40 + 2 * size :])


def test_what_comes_before_a_damage_is_not_given_for_the_whole():
    sealed = bytearray(seal(data_of(3 * crypto.CHUNK)))
    sealed[-1] ^= 1
    got = []
    with pytest.raises(RefusedError):
        got.extend(crypto.decrypt(io.BytesIO(bytes(sealed)), KEY, NAME))
    assert len(got) == 2


def test_parts_of_any_size_make_the_same_object():
    data = data_of(2 * crypto.CHUNK + 5)
    for step in (1000, crypto.CHUNK, len(data)):
        assert unseal(seal(data, step=step)) == data


# === KEYS === #


@pytest.fixture
def backup_key():
    return sealing.derive(sealing.new_data_key(), "backup")


@pytest.fixture
def recovery():
    return keys.new_recovery_key()


def test_the_recovery_key_opens_a_tenants_key(backup_key, recovery):
    private, public = recovery
    content = keys.wrap("t1", backup_key, public)
    assert keys.unwrap(content, "t1", private) == backup_key
    assert keys.public_of(private) == public
    assert backup_key.encode() not in content
    file = keys.parse(content, "t1")
    assert file.recovery == keys.fingerprint(public)
    assert file.key_id == keys.key_id(backup_key)


def test_another_recovery_key_is_told_from_the_right_one(backup_key, recovery):
    other, __ = keys.new_recovery_key()
    content = keys.wrap("t1", backup_key, recovery[1])
    with pytest.raises(RefusedError) as failure:
        keys.unwrap(content, "t1", other)
    assert failure.value.reason == "key_wrong"
    right, wrong = (
        keys.fingerprint(key) for key in (recovery[1], keys.public_of(other))
    )
    assert f"sealed for the recovery key {right}, and this is {wrong}" in (
        failure.value.message
    )
    assert other not in failure.value.message


def test_a_key_file_of_another_tenant_is_found_out(backup_key, recovery):
    private, public = recovery
    content = keys.wrap("t2", backup_key, public)
    renamed = content.replace(b'"uid": "t2"', b'"uid": "t1"')
    for text in (content, renamed):
        with pytest.raises(RefusedError) as failure:
            keys.unwrap(text, "t1", private)
        assert failure.value.reason == "damaged"


@pytest.mark.parametrize("name", ["key_id", "sealed"])
def test_an_altered_key_file_is_found_out(backup_key, recovery, name):
    values = json.loads(keys.wrap("t1", backup_key, recovery[1]))
    values[name] = values[name][::-1]
    with pytest.raises(RefusedError) as failure:
        keys.unwrap(json.dumps(values).encode(), "t1", recovery[0])
    assert failure.value.reason == "damaged"


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": 2}', b"\xff"])
def test_what_is_no_key_file_of_ours_is_refused(content, recovery):
    with pytest.raises(RefusedError) as failure:
        keys.unwrap(content, "t1", recovery[0])
    assert failure.value.reason == "newer"


@pytest.mark.parametrize("text", ["", "zz" * 32, "00" * 31])
def test_what_is_no_recovery_key_is_refused(text, backup_key):
    for call in (
        lambda: keys.fingerprint(text),
        lambda: keys.public_of(text),
        lambda: keys.wrap("t1", backup_key, text),
    ):
        with pytest.raises(RefusedError) as failure:
            call()
        assert failure.value.reason == "key_invalid"


def test_a_damaged_backup_key_is_refused():
    with pytest.raises(RefusedError) as failure:
        keys.read_key("short")
    assert failure.value.reason == "key_invalid"
