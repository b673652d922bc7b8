"""A bucket as a store: on moto (checksums, KMS, versions), on one that fails."""

from __future__ import annotations

import dataclasses
import datetime
import io
import time

import boto3
import pytest
import requests
from botocore.exceptions import SSLError
from moto.server import ThreadedMotoServer
from s3_stand_in import BUCKET, StandIn
from store_contract import MIB, StoreContract

from odoo.addons.saas.engine.errors import RefusedError, RetryableError
from odoo.addons.saas_backup.engine import task
from odoo.addons.saas_backup.engine.directory import DirectoryConfig, DirectoryStore
from odoo.addons.saas_backup.engine.s3 import (
    Lifecycle,
    ObjectLock,
    S3Config,
    S3Store,
    resolve_credentials,
)
from odoo.addons.saas_backup.engine.s3_errors import translate
from odoo.addons.saas_backup.engine.store import read_all

SECRET = "planted-secret-91ac77"
REGION = "eu-central-1"


@pytest.fixture
def stand_in():
    with StandIn() as service:
        yield service


def make_config(url, **more):
    values = {
        "endpoint": url,
        "access_key": "AKIAEXAMPLE",
        "secret_key": SECRET,
        "path_style": True,
        "prefix": "saas/one",
        "timeout": 10.0,
    }
    return S3Config(BUCKET, **values | more)


@pytest.fixture
def config(stand_in):
    return make_config(stand_in.url)


@pytest.fixture(scope="module")
def moto_url():
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def amazon(moto_url):
    """A service with everything, and a client past the engine."""
    client = boto3.client(
        "s3",
        endpoint_url=moto_url,
        region_name=REGION,
        aws_access_key_id="a",
        aws_secret_access_key="b",
    )
    requests.post(f"{moto_url}/moto-api/reset", timeout=10)
    client.create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectLockEnabledForBucket=True,
    )
    yield client
    client.close()


@pytest.fixture
def amazon_store(amazon, moto_url):
    return S3Store(make_config(moto_url, region=REGION))


class TestStandIn(StoreContract):
    @pytest.fixture
    def store(self, config):
        return S3Store(config)


class TestStandInOverTls(StoreContract):
    @pytest.fixture
    def store(self):
        with StandIn(tls=True) as service:
            yield S3Store(make_config(service.url, ca=service.ca, prefix=""))


class TestMoto(StoreContract):
    @pytest.fixture
    def store(self, amazon_store):
        return amazon_store


# === WHAT GOES WRONG === #


def failure_of(config, kind, call=None):
    with pytest.raises(kind) as failure:
        (call or (lambda store: store.check()))(S3Store(config))
    message = failure.value.message
    assert message.endswith(".")
    assert message.startswith("The bucket copies")
    assert SECRET not in message
    return failure.value


def put_small(store):
    store.put_bytes("a", b"x" * 1000)


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        ((403, "InvalidAccessKeyId"), "credentials", "access key or its secret"),
        ((403, "SignatureDoesNotMatch"), "credentials", "enter them again"),
        ((403, "AccessDenied"), "denied", "may not do this (ListObjectsV2)"),
        ((403, "RequestTimeTooSkewed"), "clock", "the clock of this machine"),
        ((404, "NoSuchBucket"), "bucket_missing", "does not exist"),
        ((301, "PermanentRedirect"), "wrong_region", "region, eu-central-1; correct"),
        ((400, "AuthorizationHeaderMalformed"), "wrong_region", "another region"),
        ((507, "XMinioStorageFull"), "full", "make room there"),
        ((400, "KMS.NotFoundException"), "kms", "KMS key cannot be used"),
        ((418, "Teapot"), "store", "It says Teapot (Teapot)"),
    ],
)
def test_each_refusal_is_named_and_not_tried_again(
    stand_in, config, answer, reason, words
):
    stand_in.faults.answers = [answer]
    error = failure_of(config, RefusedError)
    assert error.reason == reason
    assert words in error.message
    # One look; for a region the library asks once more where the bucket is.
    assert len(stand_in.requests) <= (3 if reason == "wrong_region" else 1)


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_service_that_is_overloaded_is_tried_again_and_then_named(
    stand_in, config, status
):
    stand_in.faults.answers = [(status, "SlowDown")]
    error = failure_of(config, RetryableError)
    assert error.reason == "unavailable"
    assert "cannot answer at the moment" in error.message
    assert len(stand_in.requests) == 3


def test_a_service_that_stumbles_twice_is_used_all_the_same(stand_in, config):
    stand_in.faults.answers = [(503, "SlowDown"), (500, "InternalError"), (None, "")]
    S3Store(config).put_bytes("a", b"x")
    assert stand_in.objects == {"saas/one/a": b"x"}


def test_a_service_that_is_not_there_is_unreachable(config):
    error = failure_of(
        dataclasses.replace(config, endpoint="http://127.0.0.1:1"), RetryableError
    )
    assert error.reason == "unreachable"
    assert "http://127.0.0.1:1" in error.message


def test_a_host_that_has_no_address_is_unreachable(config):
    there = dataclasses.replace(config, endpoint="http://nowhere.invalid")
    assert failure_of(there, RetryableError).reason == "unreachable"


def test_a_service_that_is_slow_is_given_up_in_time(stand_in, config):
    stand_in.faults.seconds = 3
    begin = time.monotonic()
    error = failure_of(
        dataclasses.replace(config, timeout=0.2, attempts=1), RetryableError
    )
    assert error.reason == "timeout"
    assert time.monotonic() - begin < 2


def test_a_bucket_that_is_full_in_the_middle_keeps_nothing(stand_in, config):
    stand_in.faults.room = 20 * MIB
    error = failure_of(
        config,
        RefusedError,
        lambda store: store.put("a", io.BytesIO(b"x" * (30 * MIB))),
    )
    assert error.reason == "full"
    assert stand_in.objects == {}
    assert stand_in.uploads == {}


def test_a_certificate_of_somebody_unknown_is_refused(config):
    with StandIn(tls=True) as service:
        there = dataclasses.replace(config, endpoint=service.url)
        error = failure_of(there, RefusedError)
        with StandIn(tls=True) as other:
            wrong = dataclasses.replace(there, ca=other.ca)
            assert failure_of(wrong, RefusedError).reason == "tls"
        S3Store(dataclasses.replace(there, ca=service.ca)).check()
    assert error.reason == "tls"
    assert "certificate" in error.message


def test_a_ca_that_is_no_certificate_is_refused(config):
    with StandIn(tls=True) as service:
        there = dataclasses.replace(config, endpoint=service.url, ca="nonsense")
        assert failure_of(there, RefusedError).reason == "tls"


def test_no_credentials_at_all_are_named(config, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    nobody = dataclasses.replace(config, access_key="", secret_key="")
    error = failure_of(nobody, RefusedError)
    assert error.reason == "credentials"
    assert "there are no credentials" in error.message
    with pytest.raises(RefusedError) as failure:
        resolve_credentials(nobody)
    assert failure.value.reason == "credentials"


def test_credentials_of_the_environment_can_be_handed_on(config, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "env-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "env-token")
    found = resolve_credentials(dataclasses.replace(config, access_key=""))
    assert (found.access_key, found.secret_key, found.session_token) == (
        "AKIAENV",
        "env-secret",
        "env-token",
    )
    assert resolve_credentials(config) is config
    assert "env-secret" not in repr(found)
    assert "env-token" not in repr(found)


# === CUT, FLIPPED === #


def test_an_upload_that_is_cut_once_goes_on_with_the_part_that_was_cut(
    stand_in, config
):
    stand_in.faults.cut_upload, stand_in.faults.cuts = 4 * MIB, 1
    data = bytes(range(256)) * 4096 * 20
    store = S3Store(config)
    store.confirm(store.put("a", io.BytesIO(data)))
    assert store.get_bytes("a") == data
    # What was sent twice is what was cut, and nothing else.
    assert stand_in.received < len(data) + 5 * MIB


def test_an_upload_that_is_always_cut_fails_and_keeps_nothing(stand_in, config):
    stand_in.faults.cut_upload = 4 * MIB
    error = failure_of(
        config, RetryableError, lambda store: store.put("a", io.BytesIO(b"x" * 9 * MIB))
    )
    assert error.reason == "cut"
    assert stand_in.objects == {}
    assert stand_in.uploads == {}


def test_an_upload_that_is_cut_over_tls_says_nothing_about_the_certificate():
    with StandIn(tls=True) as s3:
        s3.faults.cut_upload = 4 * MIB
        error = failure_of(
            make_config(s3.url, ca=s3.ca),
            RetryableError,
            lambda store: store.put("a", io.BytesIO(b"x" * 9 * MIB)),
        )
        assert error.reason == "cut"
        assert s3.uploads == {}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("EOF occurred in violation of protocol (_ssl.c:2427)", "cut"),
        ("[SSL: UNEXPECTED_EOF_WHILE_READING] unexpected eof while reading", "cut"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "tls"),
    ],
)
def test_every_version_of_the_library_says_it_in_its_own_words(said, reason):
    error = SSLError(endpoint_url="https://geoffrey", error=said)
    assert translate(error, "The bucket", "https://geoffrey").reason == reason


def test_a_download_that_is_cut_goes_on_where_it_ended(stand_in, config):
    data = bytes(range(256)) * 4096 * 9
    store = S3Store(config)
    store.put_bytes("a", data)
    stand_in.faults.cut_download, stand_in.faults.cuts = 3 * MIB, 2
    with store.get("a") as stream:
        assert read_all(stream) == data
    assert stand_in.faults.cuts == 0


def test_a_download_that_is_always_cut_is_an_error_and_no_short_object(
    stand_in, config
):
    store = S3Store(config)
    store.put_bytes("a", b"x" * 9 * MIB)
    stand_in.faults.cut_download = MIB
    error = failure_of(config, RetryableError, lambda store: store.get_bytes("a"))
    assert error.reason == "cut"


@pytest.mark.parametrize("size", [1000, 9 * MIB])
def test_a_bit_that_is_flipped_on_the_way_is_found_before_it_counts(
    stand_in, config, size
):
    stand_in.faults.flip = True

    def put(store):
        store.confirm(store.put("a", io.BytesIO(b"x" * size)))

    assert failure_of(config, RetryableError, put).reason == "checksum"


def test_unfinished_uploads_are_abandoned(stand_in, config):
    stand_in.uploads["u1"] = {1: b"x"}
    assert S3Store(config).abandon(86400) == 1
    assert stand_in.uploads == {}


def test_all_pages_of_a_list_are_read(stand_in, config):
    store = S3Store(config)
    for number in range(8):
        store.put_bytes(f"a/{number}", b"x")
    assert len(list(store.entries("a/"))) == 8


# === ENCRYPTION, STORAGE CLASS, LIFECYCLE, OBJECT LOCK === #


@pytest.mark.parametrize("size", [10, 9 * MIB])
def test_objects_are_encrypted_by_the_key_that_was_asked_for(amazon, moto_url, size):
    key = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    store = S3Store(
        make_config(
            moto_url,
            region=REGION,
            encryption="aws:kms",
            kms_key=key,
            storage_class="STANDARD_IA",
        )
    )
    store.confirm(store.put("a", io.BytesIO(b"x" * size)))
    head = amazon.head_object(Bucket=BUCKET, Key="saas/one/a")
    assert head["ServerSideEncryption"] == "aws:kms"
    assert head["SSEKMSKeyId"] == key
    assert head["StorageClass"] == "STANDARD_IA"
    assert "encrypted by aws:kms" in store.check()


def test_objects_are_encrypted_by_the_service_where_that_is_asked_for(amazon, moto_url):
    store = S3Store(make_config(moto_url, region=REGION, encryption="AES256"))
    store.put_bytes("a", b"x")
    head = amazon.head_object(Bucket=BUCKET, Key="saas/one/a")
    assert head["ServerSideEncryption"] == "AES256"


def test_a_service_that_does_not_encrypt_as_asked_is_refused(config):
    wants = dataclasses.replace(config, encryption="aws:kms")
    error = failure_of(wants, RefusedError, put_small)
    assert error.reason == "kms"
    assert "encryption none, not aws:kms" in error.message


def test_the_stores_own_checksum_spares_reading_the_object_again(amazon_store):
    stored = amazon_store.put("a", io.BytesIO(b"x"))
    opened = []
    amazon_store.get = opened.append
    amazon_store.confirm(stored)
    assert opened == []


def test_the_lifecycle_is_set_read_back_and_leaves_the_rules_of_others(
    amazon, amazon_store
):
    theirs = {
        "ID": "theirs",
        "Status": "Enabled",
        "Filter": {"Prefix": "logs/"},
        "Expiration": {"Days": 9},
    }
    amazon.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [theirs]}
    )
    assert amazon_store.read_lifecycle() is None
    for wanted in (
        Lifecycle(),
        Lifecycle(3, transition_days=30, transition_class="GLACIER_IR"),
        Lifecycle(1, noncurrent_days=60),
    ):
        amazon_store.write_lifecycle(wanted)
        assert amazon_store.read_lifecycle() == wanted
    rules = amazon.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]
    assert [rule["ID"] for rule in rules] == ["theirs", "saas-backup"]
    assert rules[0]["Expiration"] == {"Days": 9}
    assert rules[1]["Filter"] == {"Prefix": "saas/one/"}


def test_the_object_lock_is_set_and_read_back(amazon_store):
    assert amazon_store.read_object_lock() is None
    amazon_store.write_object_lock(ObjectLock("GOVERNANCE", 14))
    assert amazon_store.read_object_lock() == ObjectLock("GOVERNANCE", 14)


def test_a_bucket_without_object_lock_is_refused_it(amazon, amazon_store):
    amazon.create_bucket(
        Bucket="plain-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    plain = S3Store(dataclasses.replace(amazon_store.config, bucket="plain-bucket"))
    assert plain.read_object_lock() is None
    with pytest.raises(RefusedError) as failure:
        plain.write_object_lock(ObjectLock("GOVERNANCE", 14))
    assert failure.value.reason == "object_lock"


def protect(store, **wishes):
    """The program's command, on a bucket that answers."""
    return task._protect(store, wishes)


def test_what_the_bucket_is_to_do_is_written_and_read_back(amazon_store):
    wanted = {
        "abandon_days": 2,
        "transition_days": 30,
        "transition_class": "GLACIER_IR",
        "noncurrent_days": 60,
    }
    lock = {"mode": "GOVERNANCE", "days": 14}
    found = protect(amazon_store, lifecycle=wanted, object_lock=lock)
    assert found == {"lifecycle": wanted, "object_lock": lock}
    assert amazon_store.read_lifecycle() == Lifecycle(**wanted)
    # Without a wish for it the lock stays, and is told.
    again = protect(amazon_store, lifecycle={"abandon_days": 1})
    assert again["object_lock"] == lock
    assert amazon_store.read_lifecycle() == Lifecycle()


def test_a_refused_lock_leaves_the_bucket_as_it_was(amazon, amazon_store):
    amazon.create_bucket(
        Bucket="open-bucket", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    plain = S3Store(dataclasses.replace(amazon_store.config, bucket="open-bucket"))
    lock = {"mode": "COMPLIANCE", "days": 14}
    with pytest.raises(RefusedError) as failure:
        protect(plain, lifecycle={"abandon_days": 2}, object_lock=lock)
    assert failure.value.reason == "object_lock"
    assert plain.read_lifecycle() is None


def test_a_directory_has_nothing_of_the_sort(tmp_path):
    with pytest.raises(RefusedError) as failure:
        protect(DirectoryStore(DirectoryConfig(str(tmp_path))), lifecycle={})
    assert failure.value.reason == "unsupported"


def test_what_was_deleted_can_be_read_where_versions_are_kept(amazon_store):
    """Whoever holds the writer's credentials can lay nothing but a marker over it."""
    for number in range(3):
        amazon_store.put_bytes(f"t/{number}", b"old")
        amazon_store.put_bytes(f"t/{number}", b"copy %d" % number)
        amazon_store.delete(f"t/{number}")
    assert list(amazon_store.entries("t/")) == []
    again = S3Store(dataclasses.replace(amazon_store.config, include_deleted=True))
    assert [entry.key for entry in again.entries("t/")] == ["t/0", "t/1", "t/2"]
    assert again.get_bytes("t/1") == b"copy 1"
    assert again.head("t/1").size == 6


def test_what_was_replaced_can_be_read_as_it_was_at_a_moment(amazon_store):
    amazon_store.put_bytes("t/1", b"good")
    time.sleep(1.1)
    moment = datetime.datetime.now(datetime.UTC).isoformat()
    time.sleep(1.1)
    amazon_store.put_bytes("t/1", b"rubbish")
    amazon_store.put_bytes("t/2", b"rubbish")
    amazon_store.delete("t/1")
    config = dataclasses.replace(amazon_store.config, include_deleted=True)
    assert S3Store(config).get_bytes("t/1") == b"rubbish"
    then = S3Store(dataclasses.replace(config, as_of=moment))
    assert then.get_bytes("t/1") == b"good"
    assert [(entry.key, entry.size) for entry in then.entries("t/")] == [("t/1", 4)]
    assert then.head("t/2") is None


def test_what_is_no_moment_is_refused():
    with pytest.raises(RefusedError) as failure:
        S3Config("copies", as_of="yesterday")
    assert failure.value.reason == "bad_job"
