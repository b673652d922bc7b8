"""Settings of buckets, apart from the library, which takes its time to be loaded."""

from __future__ import annotations

import dataclasses
import datetime

from odoo.addons.saas.engine.errors import RefusedError


@dataclasses.dataclass(frozen=True, slots=True)
class S3Config:
    """A bucket, and who we are there.

    :param str prefix: what all keys begin with, without a slash at the end
    :param str endpoint: address of a compatible service; empty for AWS
    :param bool path_style: the bucket in the path and not in the host name
    :param str access_key: empty for what the environment, a web identity or an
        instance role gives
    :param str storage_class: e.g. ``STANDARD_IA``; empty for the bucket's default
    :param str encryption: ``AES256`` (SSE-S3), ``aws:kms`` (SSE-KMS) or empty for the
        bucket's default
    :param str kms_key: id or ARN of the key; empty for the account's own
    :param str ca: PEM of who signed the service's certificate; empty for the usual ones
    :param bool include_deleted: read what was deleted too, where versions are kept
    :param str as_of: with that, as it was at this moment (ISO 8601), where objects were
        replaced afterwards
    :param float timeout: seconds without an answer
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    path_style: bool = False
    access_key: str = ""
    secret_key: str = dataclasses.field(default="", repr=False)
    session_token: str = dataclasses.field(default="", repr=False)
    storage_class: str = ""
    encryption: str = ""
    kms_key: str = ""
    ca: str = dataclasses.field(default="", repr=False)
    include_deleted: bool = False
    as_of: str = ""
    timeout: float = 30.0
    attempts: int = 3

    def __post_init__(self) -> None:
        if self.encryption not in ("", "AES256", "aws:kms"):
            raise RefusedError(
                f"{self.encryption!r} is no encryption of S3: AES256 or aws:kms.",
                reason="bad_job",
            )
        self.moment()

    def moment(self) -> datetime.datetime | None:
        """What ``as_of`` means; without a zone it is UTC.

        :raise RefusedError: ``bad_job``
        """
        if not self.as_of:
            return None
        try:
            found = datetime.datetime.fromisoformat(self.as_of)
        except ValueError as error:
            raise RefusedError(
                f"{self.as_of!r} is no moment: 2026-11-21T04:00:00Z would be one.",
                reason="bad_job",
            ) from error
        return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Lifecycle:
    """What the bucket does by itself below our prefix.

    There is no expiry of objects: copies share packs of files, so only our own
    retention knows what may go.

    :param int abandon_days: unfinished uploads are removed after so many days
    :param int transition_days: objects move to ``transition_class`` after so many
    :param int noncurrent_days: deleted versions are removed after so many
    """

    abandon_days: int = 1
    transition_days: int = 0
    transition_class: str = ""
    noncurrent_days: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class ObjectLock:
    """For how long nobody can delete a version that was written.

    :param str mode: ``GOVERNANCE`` or ``COMPLIANCE``
    """

    mode: str
    days: int
