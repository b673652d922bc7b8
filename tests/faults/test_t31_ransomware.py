"""T31: everything is destroyed with the credentials of the backups."""

from __future__ import annotations

import dataclasses
import datetime
import time

import pytest
from backup_bench_docker import RECOVERY, refused
from botocore.exceptions import ClientError

from odoo.addons.saas_backup.engine.s3 import S3Store
from odoo.addons.saas_backup.engine.s3_config import ObjectLock


@pytest.fixture
def locked(amazon):
    """A bucket in which nobody can delete a version for 30 days."""
    config, client = amazon
    config = dataclasses.replace(config, bucket="locked")
    client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    S3Store(config).write_object_lock(ObjectLock("COMPLIANCE", 30))
    return config, client


def destroy_all(client, bucket):
    """Write over all objects, delete them, and then all versions.

    :return: how many versions stay, and what the service says to their removal
    """
    for row in client.list_objects_v2(Bucket=bucket)["Contents"]:
        client.put_object(
            Bucket=bucket, Key=row["Key"], Body=b"pay", ChecksumAlgorithm="SHA256"
        )
        client.delete_object(Bucket=bucket, Key=row["Key"])
    refusals = set()
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    for row in versions:
        try:
            client.delete_object(
                Bucket=bucket,
                Key=row["Key"],
                VersionId=row["VersionId"],
                BypassGovernanceRetention=True,
            )
        except ClientError as error:
            refusals.add(error.response["Error"]["Code"])
    assert client.list_object_versions(Bucket=bucket)["Versions"] == versions
    return len(versions), refusals


@pytest.mark.case(
    did="with the credentials that write the copies every object of a bucket with "
    "Object Lock is written over and deleted, and then every version of each",
    expected="no version goes; the usual way finds no copy; with include_deleted, as "
    "of before, and the recovery key alone the tenant comes back whole",
)
def test_t31_what_was_destroyed_is_restored_as_it_was_before(
    bench, tenant, fresh, locked, found
):
    config, client = locked
    bench.attach(tenant, 20)
    bench.run("backup", tenant, store=config, backup="b1")
    before = datetime.datetime.now(datetime.UTC).isoformat()
    time.sleep(1.1)
    count, refusals = destroy_all(client, "locked")
    assert refusals == {"AccessDenied"}
    assert client.list_objects_v2(Bucket="locked")["KeyCount"] == 0

    alone = {"key": "", "recovery_key": RECOVERY[0], "to": fresh}
    under = dataclasses.replace(config, include_deleted=True, as_of=before)
    usual, rubbish, listed, restored = bench.end_all(
        fresh,
        [
            bench.make_job("list", tenant, **{**alone, **more})
            for more in (
                {"store": config},
                {"store": dataclasses.replace(under, as_of="")},
                {"store": under},
            )
        ]
        + [bench.make_job("restore", tenant, **alone, store=under, backup="b1")],
    )
    refused("key_missing", usual.answer)
    refused("newer", rubbish.answer)
    assert [row["backup"] for row in listed.answer()["backups"]] == ["b1"]
    assert restored.answer()["files"] == 20
    assert bench.contents(fresh) == bench.contents(tenant)
    assert bench.files(fresh) == bench.files(tenant)
    found(
        f"{count} of {count} versions refused to go ({refusals.pop()}); 0 copies by "
        "the usual way; restored whole, as of before"
    )
