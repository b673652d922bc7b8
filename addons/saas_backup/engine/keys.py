"""The keys of copies: one per tenant, which the operator's recovery key can open.

The backup key of a tenant is derived from its data key, so the master need not store
it. Beside the copies it lies sealed for the recovery key, of which the master has the
public half only: with that store and the private half everything can be restored
without the master. Destroying both the data key and the sealed one destroys the copies.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
from typing import Any

from odoo.addons.saas.engine import sealing
from odoo.addons.saas.engine.errors import EngineError, RefusedError

FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class KeyFile:
    """A backup key as it lies in the store.

    :param str key_id: tells keys apart and says nothing about them
    :param str recovery: fingerprint of the recovery key that opens it
    """

    uid: str
    key_id: str
    recovery: str
    sealed: str


def new_recovery_key() -> tuple[str, str]:
    """A new recovery key: its private and its public half, both in hexadecimal."""
    return sealing.new_key_pair()


def public_of(recovery_private: str) -> str:
    """The public half of a recovery key.

    :raise RefusedError: ``key_invalid``
    """
    # Loading the library takes longer than a look at a key that is there already.
    from nacl.public import PrivateKey

    return bytes(PrivateKey(_read_hex(recovery_private)).public_key).hex()


def fingerprint(recovery_public: str) -> str:
    """What people compare: 16 hexadecimal digits."""
    return hashlib.sha256(_read_hex(recovery_public)).hexdigest()[:16]


def read_key(backup_key: str) -> bytes:
    """The 32 bytes of a backup key, from the text that ``sealing.derive`` gives.

    :raise RefusedError: ``key_invalid``
    """
    try:
        key = base64.urlsafe_b64decode(backup_key + "=")
    except ValueError:
        key = b""
    if len(key) != sealing.KEY_SIZE:
        raise RefusedError("The backup key is damaged.", reason="key_invalid")
    return key


def key_id(backup_key: str) -> str:
    key = read_key(backup_key)
    return hashlib.blake2b(key, digest_size=8, person=b"saas.backup.id").hexdigest()


def wrap(uid: str, backup_key: str, recovery_public: str) -> bytes:
    """The content of a key file that the recovery key opens."""
    inner = json.dumps({"uid": uid, "key": backup_key})
    file = KeyFile(
        uid=uid,
        key_id=key_id(backup_key),
        recovery=fingerprint(recovery_public),
        sealed=sealing.seal(recovery_public, inner),
    )
    text = json.dumps({"format": FORMAT, **dataclasses.asdict(file)}, indent=1)
    return text.encode()


def parse(content: bytes, uid: str) -> KeyFile:
    """:raise RefusedError: ``newer`` or ``damaged``"""
    values = _load(content)
    if values.pop("format", None) != FORMAT:
        raise RefusedError(
            f"The key file of {uid} was written by another version of this program; "
            "use that one, or a newer one.",
            reason="newer",
        )
    try:
        file = KeyFile(**values)
    except TypeError as error:
        raise _damaged(uid) from error
    if file.uid != uid:
        raise _damaged(uid)
    return file


def unwrap(content: bytes, uid: str, recovery_private: str) -> str:
    """The backup key of that tenant.

    :raise RefusedError: ``key_wrong``, ``key_invalid``, ``newer`` or ``damaged``
    """
    file = parse(content, uid)
    found = fingerprint(public_of(recovery_private))
    if found != file.recovery:
        raise RefusedError(
            f"The copies of {uid} are sealed for the recovery key {file.recovery}, and "
            f"this is {found}. Use the right one.",
            reason="key_wrong",
        )
    try:
        inner = json.loads(sealing.unseal(recovery_private, file.sealed))
    except (EngineError, ValueError) as error:
        raise _damaged(uid) from error
    if inner.get("uid") != uid or key_id(str(inner.get("key"))) != file.key_id:
        raise _damaged(uid)
    return str(inner["key"])


def _load(content: bytes) -> dict[str, Any]:
    try:
        values = json.loads(content)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _damaged(uid: str) -> RefusedError:
    return RefusedError(
        f"The key file of {uid} in the store is damaged or belongs to somebody else; "
        "have the master write it again.",
        reason="damaged",
    )


def _read_hex(text: str) -> bytes:
    try:
        key = bytes.fromhex(text.strip())
    except ValueError:
        key = b""
    if len(key) != sealing.KEY_SIZE:
        raise RefusedError(
            f"This is no recovery key: {sealing.KEY_SIZE} bytes in hexadecimal are "
            "expected.",
            reason="key_invalid",
        )
    return key
