"""T23: the bucket refuses, stumbles, is slow, or is another one."""

from __future__ import annotations

import dataclasses

import pytest
from backup_bench_docker import refused, retryable

# What it answers or is, what that is called, and words of the sentence about it.
CASES = {
    "403, may not": (
        {"answers": [(403, "AccessDenied")]},
        (refused, "denied", "the access key may not do this"),
    ),
    "403, wrong secret": (
        {"answers": [(403, "SignatureDoesNotMatch")]},
        (refused, "credentials", "the access key or its secret is not accepted"),
    ),
    "503": (
        {"answers": [(503, "SlowDown")]},
        (retryable, "unavailable", "the service cannot answer at the moment"),
    ),
    "time-out": (
        {"seconds": 4.0},
        (retryable, "timeout", "did not answer in time"),
    ),
    "wrong region": (
        {"answers": [(301, "PermanentRedirect")]},
        (refused, "wrong_region", "is in another region, eu-central-1"),
    ),
    "no such bucket": (
        {"answers": [(404, "NoSuchBucket")]},
        (refused, "bucket_missing", "does not exist"),
    ),
    "full": ({"room": 100}, (refused, "full", "is full")),
}
SETTINGS = {
    "nothing listens": (
        {"endpoint": "https://127.0.0.1:1"},
        (retryable, "unreachable", "cannot be reached at https://127.0.0.1:1"),
    ),
    "unknown certificate": (
        {"ca": ""},
        (refused, "tls", "the certificate of https://"),
    ),
}
EXPECTED = (
    "a sentence of its own; tried again only where that helps; nothing is kept in the "
    "bucket"
)


def fail(call, outcome):
    kind, reason, words = outcome
    message = kind(reason, call)
    assert words in message
    return message


@pytest.mark.parametrize("case", CASES)
@pytest.mark.case(did="a backup to a bucket that answers so", expected=EXPECTED)
def test_t23_each_answer_has_its_own_sentence(
    bench, tenant, stand_in, bucket, found, case
):
    faults, outcome = CASES[case]
    for name, value in faults.items():
        setattr(stand_in.faults, name, value)
    timeout = 1.5 if "seconds" in faults else bucket.timeout
    store = dataclasses.replace(bucket, timeout=timeout)
    message = fail(
        lambda: bench.run("backup", tenant, store=store, backup="b1"), outcome
    )
    tries, kept = len(stand_in.requests), len(stand_in.objects)
    assert kept == 0
    assert tries == 3 or outcome[0] is refused
    found(f"“{message}”; {tries} requests, {kept} objects kept")


@pytest.mark.parametrize("case", SETTINGS)
@pytest.mark.case(did="a backup to a bucket that is set up so", expected=EXPECTED)
def test_t23_each_wrong_setting_has_its_own_sentence(
    bench, tenant, bucket, found, case
):
    values, outcome = SETTINGS[case]
    store = dataclasses.replace(bucket, **values)
    message = fail(
        lambda: bench.run("backup", tenant, store=store, backup="b1"), outcome
    )
    found(f"“{message}”")


@pytest.mark.case(
    did="the service answers twice 503, and then as it should",
    expected="the backup does not notice",
)
def test_t23_a_service_that_stumbles_costs_tries_and_nothing_else(
    bench, tenant, stand_in, bucket, found
):
    stand_in.faults.answers = [(503, "SlowDown"), (503, "SlowDown"), (None, "")]
    made, proven = bench.end_all(
        tenant,
        [
            bench.make_job(command, tenant, store=bucket, backup="b1")
            for command in ("backup", "verify")
        ],
    )
    assert (made.answer()["state"], made.answer()["missing"]) == ("made", 0)
    assert proven.answer()["backup"] == "b1"
    found(f"a good copy after {len(stand_in.requests)} requests in all")
