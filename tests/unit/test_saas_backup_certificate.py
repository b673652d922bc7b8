"""Certificates: the same text for the same content, and nobody else's signature."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from odoo.addons.saas.engine.errors import RefusedError
from odoo.addons.saas_backup.engine import certificate

CONTENT = {
    "certificate": "DR000001",
    "tenant": "alfa",
    "customer": "Café Ltd",
    "rows": 7,
}


def make_pair():
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = base64.b64encode(key.public_key().public_bytes_raw())
    return pem.decode(), public.decode()


PRIVATE, PUBLIC = make_pair()


def test_the_text_is_the_same_in_whatever_order_the_content_comes():
    text = certificate.write(CONTENT)
    assert text == certificate.write(dict(reversed(CONTENT.items())))
    assert text == (
        '{"certificate":"DR000001","customer":"Café Ltd","rows":7,"tenant":"alfa"}'
    )


def test_a_signature_holds_for_that_text_and_that_key_alone():
    text = certificate.write(CONTENT)
    signature = certificate.sign(PRIVATE, text)
    assert certificate.verify(PUBLIC, text, signature)
    for forged in (text.replace("7", "8"), text + " ", "", text.replace("é", "e")):
        assert not certificate.verify(PUBLIC, forged, signature)
    _private, other = make_pair()
    assert not certificate.verify(other, text, signature)


@pytest.mark.parametrize("signature", ["", "abc", "é", "A" * 88, "!" * 88])
def test_what_is_no_signature_does_not_hold(signature):
    assert not certificate.verify(PUBLIC, certificate.write(CONTENT), signature)


def test_other_programs_can_check_it_by_the_published_key():
    text = certificate.write(CONTENT)
    key = load_pem_public_key(certificate.public_pem(PUBLIC).encode())
    signature = base64.b64decode(certificate.sign(PRIVATE, text))
    key.verify(signature, text.encode())


def test_people_compare_a_short_fingerprint():
    assert len(certificate.fingerprint(PUBLIC)) == 16
    assert certificate.fingerprint(PUBLIC) != certificate.fingerprint(make_pair()[1])


@pytest.mark.parametrize(
    ("key", "reason"), [("", "key_missing"), (" ", "key_missing"), ("x", "key_invalid")]
)
def test_a_key_that_is_none_is_told(key, reason):
    for call in (
        lambda: certificate.sign(key, "text"),
        lambda: certificate.verify(key, "text", "signature"),
        lambda: certificate.public_pem(key),
    ):
        with pytest.raises(RefusedError) as failure:
            call()
        assert failure.value.reason == reason
