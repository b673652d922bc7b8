"""A bucket as a store: AWS S3, or whatever speaks its protocol."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import hashlib
import secrets
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from odoo.addons.saas.engine.errors import EngineError, RefusedError, RetryableError

from .s3_config import Lifecycle, ObjectLock, S3Config
from .s3_errors import translate
from .store import (
    CHUNK,
    BinaryReader,
    Entry,
    Store,
    Stored,
    check_key,
    digest_of,
    read_exactly,
)

PART_SIZE = 8 * 2**20
"""Bytes of one part; the smallest that S3 takes is 5 MiB."""

PARTS_OF_ONE_SIZE = 1000
"""After that many the parts grow: 10,000 are allowed, and a stream has no known end."""

RESUMES = 3
"""How often a download that was cut goes on where it ended."""

LIFECYCLE_RULE = "saas-backup"

# A session makes one client at a time; a client is for all threads.
_SESSION_LOCK = threading.Lock()


def resolve_credentials(config: S3Config) -> S3Config:
    """The same with the credentials written out that a process here would get.

    For tasks in a network from which a role cannot be had.

    :raise RefusedError: ``credentials``
    """
    if config.access_key:
        return config
    try:
        found = boto3.session.Session().get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except (
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.ClientError,
    ) as error:
        raise translate(error, f"The bucket {config.bucket}", "") from error
    if frozen is None or not frozen.access_key:
        raise translate(
            botocore.exceptions.NoCredentialsError(), f"The bucket {config.bucket}", ""
        )
    return dataclasses.replace(
        config,
        access_key=frozen.access_key,
        secret_key=frozen.secret_key,
        session_token=frozen.token or "",
    )


class S3Store(Store):
    """One bucket, or what lies below a prefix in it."""

    def __init__(self, config: S3Config) -> None:
        self.config = config
        self._ca: Any = None
        self._moment = config.moment()
        with self._translated():
            self.client = self._make_client()

    def __str__(self) -> str:
        return f"The bucket {self.config.bucket}"

    def _make_client(self) -> Any:
        config = self.config
        verify: str | None = None
        if config.ca:
            # The library wants a path; the file goes when the store does.
            self._ca = tempfile.NamedTemporaryFile("w", suffix=".pem")  # noqa: SIM115
            self._ca.write(config.ca)
            self._ca.flush()
            verify = self._ca.name
        # One session has the tables; one that looks for credentials looks anew.
        session = _shared_session() if config.access_key else boto3.session.Session()
        with _SESSION_LOCK:
            return self._make_client_of(session, verify)

    def _make_client_of(self, session: Any, verify: str | None) -> Any:
        config = self.config
        return session.client(
            "s3",
            aws_access_key_id=config.access_key or None,
            aws_secret_access_key=config.secret_key or None,
            aws_session_token=config.session_token or None,
            region_name=config.region or ("us-east-1" if config.endpoint else None),
            endpoint_url=config.endpoint or None,
            verify=verify,
            config=botocore.config.Config(
                connect_timeout=min(config.timeout, 10),
                read_timeout=config.timeout,
                retries={"mode": "standard", "total_max_attempts": config.attempts},
                s3={"addressing_style": "path" if config.path_style else "auto"},
                # We send SHA-256 ourselves; the library's own default is one that many
                # compatible services refuse.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
            ),
        )

    # === THE CONTRACT === #

    def check(self) -> str:
        # A list call first: its errors have a body that says what is wrong.
        with self._translated():
            self.client.list_objects_v2(
                Bucket=self.config.bucket, Prefix=self._name(""), MaxKeys=1
            )
        key = f"check-{secrets.token_hex(8)}/probe"
        self.try_out(key)
        encryption = self.config.encryption
        return (
            f"{self} can be used"
            + (f", in {self.config.region}" if self.config.region else "")
            + (f", encrypted by {encryption}" if encryption else "")
        )

    def put(self, key: str, stream: BinaryReader) -> Stored:
        name = self._name(check_key(key))
        first = read_exactly(stream, PART_SIZE)
        if len(first) < PART_SIZE:
            return self._put_whole(key, name, first)
        return self._put_parts(key, name, first, stream)

    def _put_whole(self, key: str, name: str, data: bytes) -> Stored:
        digest = hashlib.sha256(data)
        proof = base64.b64encode(digest.digest()).decode()
        with self._translated():
            self.client.put_object(
                Bucket=self.config.bucket,
                Key=name,
                Body=data,
                ChecksumAlgorithm="SHA256",
                ChecksumSHA256=proof,
                **self._options(),
            )
        return Stored(key, len(data), digest.hexdigest(), proof)

    def _put_parts(
        self, key: str, name: str, part: bytes, stream: BinaryReader
    ) -> Stored:
        where = {"Bucket": self.config.bucket, "Key": name}
        with self._translated():
            upload = self.client.create_multipart_upload(
                **where, ChecksumAlgorithm="SHA256", **self._options()
            )["UploadId"]
        where["UploadId"] = upload
        parts: list[dict[str, Any]] = []
        size, digest, digests = 0, hashlib.sha256(), hashlib.sha256()
        try:
            while part:
                size += len(part)
                digest.update(part)
                part_digest = hashlib.sha256(part).digest()
                digests.update(part_digest)
                parts.append(self._put_part(where, len(parts) + 1, part, part_digest))
                part = read_exactly(stream, _part_size(len(parts)))
            with self._translated():
                self.client.complete_multipart_upload(
                    **where, MultipartUpload={"Parts": parts}
                )
        except BaseException:
            with contextlib.suppress(EngineError), self._translated():
                self.client.abort_multipart_upload(**where)
            raise
        proof = f"{base64.b64encode(digests.digest()).decode()}-{len(parts)}"
        return Stored(key, size, digest.hexdigest(), proof)

    def _put_part(
        self, where: Mapping[str, str], number: int, part: bytes, digest: bytes
    ) -> dict[str, Any]:
        proof = base64.b64encode(digest).decode()
        with self._translated():
            answer = self.client.upload_part(
                **where, PartNumber=number, Body=part, ChecksumSHA256=proof
            )
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": proof}

    def confirm(self, stored: Stored) -> None:
        head = self._head(stored.key)
        if head is None:
            raise self.mismatch(stored.key)
        self._confirm_encryption(stored.key, head)
        checksum = head.get("ChecksumSHA256")
        if head["ContentLength"] != stored.size:
            raise self.mismatch(stored.key)
        if checksum == stored.proof:
            return
        # A service without checksums, or with its own way to make them of parts.
        with self.get(stored.key) as stream:
            if digest_of(stream) != (stored.size, stored.sha256):
                raise self.mismatch(stored.key)

    def _confirm_encryption(self, key: str, head: Mapping[str, Any]) -> None:
        wanted, found = self.config.encryption, head.get("ServerSideEncryption")
        if wanted and found != wanted:
            raise RefusedError(
                f"{self} stored {key} with encryption {found or 'none'}, not {wanted}; "
                "it does not support what is set.",
                reason="kms",
            )

    @contextlib.contextmanager
    def get(self, key: str) -> Iterator[BinaryReader]:
        reader = _Reader(self, key)
        with contextlib.closing(reader):
            yield reader

    def head(self, key: str) -> Entry | None:
        found = self._head(key)
        if found is None:
            return None
        return Entry(key, found["ContentLength"], found["LastModified"].timestamp())

    def _head(self, key: str) -> dict[str, Any] | None:
        with self._translated():
            try:
                found: dict[str, Any] = self.client.head_object(
                    **self._where(key), ChecksumMode="ENABLED"
                )
            except botocore.exceptions.ClientError as error:
                if _is_absent(error):
                    return None
                raise
            except RefusedError as error:
                if error.reason == "missing":
                    return None
                raise
        return found

    def entries(self, prefix: str) -> Iterator[Entry]:
        if self.config.include_deleted:
            rows = self._list_versions(prefix)
        else:
            rows = self._list_current(prefix)
        cut = len(self._name(""))
        for row in rows:
            yield Entry(row["Key"][cut:], row["Size"], row["LastModified"].timestamp())

    def _list_current(self, prefix: str) -> Iterator[dict[str, Any]]:
        with self._translated():
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.config.bucket, Prefix=self._name(prefix)
            ):
                yield from page.get("Contents", ())

    def _list_versions(self, prefix: str) -> Iterator[dict[str, Any]]:
        """The newest version of each object, under whatever was laid over it."""
        seen = set()
        with self._translated():
            for page in self.client.get_paginator("list_object_versions").paginate(
                Bucket=self.config.bucket, Prefix=self._name(prefix)
            ):
                # Of one key the newest version comes first.
                for row in page.get("Versions", ()):
                    if row["Key"] not in seen and self._was_there(row):
                        seen.add(row["Key"])
                        yield row

    def _was_there(self, row: Mapping[str, Any]) -> bool:
        return self._moment is None or row["LastModified"] <= self._moment

    def delete(self, key: str) -> None:
        with self._translated():
            self.client.delete_object(
                Bucket=self.config.bucket, Key=self._name(check_key(key))
            )

    def abandon(self, older_than: float) -> int:
        count, limit, bucket = 0, time.time() - older_than, self.config.bucket
        with self._translated():
            for page in self.client.get_paginator("list_multipart_uploads").paginate(
                Bucket=bucket, Prefix=self._name("")
            ):
                for row in page.get("Uploads", ()):
                    if row["Initiated"].timestamp() <= limit:
                        self.client.abort_multipart_upload(
                            Bucket=bucket, Key=row["Key"], UploadId=row["UploadId"]
                        )
                        count += 1
        return count

    # === SETTINGS OF THE BUCKET === #

    def read_lifecycle(self) -> Lifecycle | None:
        """Our own rule; None when there is none."""
        rules = self._read_rules()
        mine = next((rule for rule in rules if rule.get("ID") == LIFECYCLE_RULE), None)
        if mine is None or mine["Status"] != "Enabled":
            return None
        transition = (mine.get("Transitions") or [{}])[0]
        abandon = mine.get("AbortIncompleteMultipartUpload", {})
        noncurrent = mine.get("NoncurrentVersionExpiration", {})
        return Lifecycle(
            abandon_days=abandon.get("DaysAfterInitiation", 0),
            transition_days=transition.get("Days", 0),
            transition_class=transition.get("StorageClass", ""),
            noncurrent_days=noncurrent.get("NoncurrentDays", 0),
        )

    def write_lifecycle(self, lifecycle: Lifecycle) -> None:
        """Set our own rule and read it back; the rules of others stay."""
        rules = [rule for rule in self._read_rules() if rule["ID"] != LIFECYCLE_RULE]
        rules.append(_make_rule(lifecycle, self._name("")))
        with self._translated():
            self.client.put_bucket_lifecycle_configuration(
                Bucket=self.config.bucket, LifecycleConfiguration={"Rules": rules}
            )
        if self.read_lifecycle() != lifecycle:
            raise self._not_kept("lifecycle rule")

    def _read_rules(self) -> list[dict[str, Any]]:
        with self._translated():
            try:
                found = self.client.get_bucket_lifecycle_configuration(
                    Bucket=self.config.bucket
                )
            except botocore.exceptions.ClientError as error:
                if error.response["Error"]["Code"] == "NoSuchLifecycleConfiguration":
                    return []
                raise
        return list(found["Rules"])

    def read_object_lock(self) -> ObjectLock | None:
        """The default of the bucket; None when versions can be deleted."""
        with self._translated():
            try:
                found = self.client.get_object_lock_configuration(
                    Bucket=self.config.bucket
                )
            except botocore.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "ObjectLockConfigurationNotFoundError":
                    return None
                raise
        rule = found["ObjectLockConfiguration"].get("Rule", {})
        default = rule.get("DefaultRetention")
        if not default:
            return None
        days = default.get("Days") or default.get("Years", 0) * 365
        return ObjectLock(default["Mode"], days)

    def write_object_lock(self, lock: ObjectLock) -> None:
        """Set the default of the bucket and read it back.

        :raise RefusedError: ``object_lock``, where the bucket was made without it
        """
        default = {"Mode": lock.mode, "Days": lock.days}
        with self._translated():
            self.client.put_object_lock_configuration(
                Bucket=self.config.bucket,
                ObjectLockConfiguration={
                    "ObjectLockEnabled": "Enabled",
                    "Rule": {"DefaultRetention": default},
                },
            )
        if self.read_object_lock() != lock:
            raise self._not_kept("Object Lock")

    def _not_kept(self, what: str) -> RefusedError:
        return RefusedError(
            f"{self} took the {what} and shows another one; the service does not "
            "support it.",
            reason="unsupported",
        )

    # === HELPERS === #

    def _name(self, key: str) -> str:
        prefix = self.config.prefix.strip("/")
        return f"{prefix}/{key}" if prefix else key

    def _where(self, key: str) -> dict[str, str]:
        where = {"Bucket": self.config.bucket, "Key": self._name(check_key(key))}
        if self.config.include_deleted:
            if version := self._newest_version(where):
                where["VersionId"] = version
            elif self._moment:
                # What is there now came later.
                raise self.missing(key)
        return where

    def _newest_version(self, where: Mapping[str, str]) -> str:
        with self._translated():
            page = self.client.list_object_versions(
                Bucket=where["Bucket"], Prefix=where["Key"]
            )
        found = [
            row
            for row in page.get("Versions", ())
            if row["Key"] == where["Key"] and self._was_there(row)
        ]
        return str(found[0]["VersionId"]) if found else ""

    def _options(self) -> dict[str, str]:
        config = self.config
        options = {
            "StorageClass": config.storage_class,
            "ServerSideEncryption": config.encryption,
            "SSEKMSKeyId": config.kms_key if config.encryption == "aws:kms" else "",
        }
        return {name: value for name, value in options.items() if value}

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (
            botocore.exceptions.BotoCoreError,
            botocore.exceptions.ClientError,
        ) as error:
            endpoint = self.config.endpoint or "AWS"
            raise translate(error, str(self), endpoint) from error


class _Reader:
    """Reads an object, and goes on where the connection was cut."""

    def __init__(self, store: S3Store, key: str) -> None:
        self._store = store
        self._key = key
        self._where: dict[str, str] = store._where(key)
        self._done = 0
        self._cuts = 0
        self._body = self._open()

    def _open(self) -> Any:
        more = {"Range": f"bytes={self._done}-"} if self._done else {}
        with self._store._translated():
            try:
                answer = self._store.client.get_object(**self._where, **more)
            except botocore.exceptions.ClientError as error:
                if _is_absent(error):
                    raise self._store.missing(self._key) from error
                raise
        # What is read further on must be the same object.
        self._where["IfMatch"] = answer["ETag"]
        return answer["Body"]

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        while True:
            try:
                with self._store._translated():
                    data: bytes = self._body.read(size)
            except RetryableError:
                self._cuts += 1
                if self._cuts > RESUMES:
                    raise
                self.close()
                self._body = self._open()
                continue
            self._done += len(data)
            return data

    def close(self) -> None:
        self._body.close()


@functools.cache
def _shared_session() -> Any:
    return boto3.session.Session()


def _part_size(parts: int) -> int:
    return PART_SIZE << (parts // PARTS_OF_ONE_SIZE)


def _is_absent(error: botocore.exceptions.ClientError) -> bool:
    return error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound")


def _make_rule(lifecycle: Lifecycle, prefix: str) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "ID": LIFECYCLE_RULE,
        "Status": "Enabled",
        "Filter": {"Prefix": prefix},
        "AbortIncompleteMultipartUpload": {
            "DaysAfterInitiation": lifecycle.abandon_days
        },
    }
    if lifecycle.transition_days:
        rule["Transitions"] = [
            {
                "Days": lifecycle.transition_days,
                "StorageClass": lifecycle.transition_class,
            }
        ]
    if lifecycle.noncurrent_days:
        rule["NoncurrentVersionExpiration"] = {
            "NoncurrentDays": lifecycle.noncurrent_days
        }
    return rule
