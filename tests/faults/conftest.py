"""The fault cases by their numbers, on real parts; what they find is reported.

Each test is called ``test_t<number>_...``, or after a case without a number, and
carries ``case``, which says what is done and what is expected. What it found it tells
the fixture ``found``.
"""

from __future__ import annotations

import datetime
import pathlib
import re
import sys

import pytest

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / "unit"), str(TESTS / "integration")]

import report
from backup_bench_docker import BackupBench
from backup_fixtures import amazon, fresh, gateway, tenant  # noqa: F401 (for all tests)
from s3_stand_in import BUCKET, StandIn
from whole import (  # noqa: F401 (for all tests)
    _names_of_this_machine,
    aftermath,
    engine,
    load,
    mailbox,
    make_tenant,
    master,
    names,
    plan,
    residents,
    stack,
    values,
)

from odoo.addons.saas_backup.engine.s3 import S3Config

REPORT = TESTS.parent / ".cache" / "reports" / "faults.md"
CASE = pytest.StashKey[report.Case]()
CASES = pytest.StashKey[list[report.Case]]()


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "case(did, expected): what a fault test is about"
    )
    config.stash[CASES] = []


def pytest_collection_modifyitems(config, items):
    for item in items:
        name = re.match(r"test_([a-z0-9]+)_", item.name)
        marker = item.get_closest_marker("case")
        name = name and re.sub(r"^t(?=\d)", "T", name[1])
        if not marker or name not in report.TITLES:
            raise pytest.UsageError(f"{item.name} has no name of a case, or no case.")
        item.stash[CASE] = report.Case(name, **marker.kwargs)
        if params := getattr(item, "callspec", None):
            item.stash[CASE].did += f" ({params.id})"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    result = yield
    case = item.stash[CASE]
    case.seconds += call.duration
    if result.failed and not case.failure:
        case.failure = call.excinfo.exconly().splitlines()[0]
    if result.when == "call" or result.failed:
        cases = item.config.stash[CASES]
        if case not in cases:
            cases.append(case)
    return result


def pytest_terminal_summary(terminalreporter, config):
    now = datetime.datetime.now(datetime.UTC)
    cases = config.stash[CASES]
    seconds = sum(case.seconds for case in cases)
    text = report.make_report(
        cases, f"{now:%Y-%m-%d %H:%M} UTC, {len(cases)} tests, {seconds:.0f} s"
    )
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(text, encoding="utf-8")
    terminalreporter.write_line(f"{text}\nThis report: {REPORT}")


@pytest.fixture
def found(request):
    """Takes down a line of what was found."""
    return request.node.stash[CASE].found.append


@pytest.fixture(scope="session")
def bench():
    made = BackupBench()
    yield made
    made.close()


@pytest.fixture
def stand_in(gateway):  # noqa: F811
    """A service that speaks TLS and can go wrong, where tasks reach it."""
    with StandIn(tls=True, host=gateway) as s3:
        yield s3


@pytest.fixture
def bucket(stand_in):
    """The settings of a bucket there."""
    return S3Config(
        BUCKET,
        endpoint=stand_in.url,
        access_key="AKIAEXAMPLE",
        secret_key="planted-secret",
        path_style=True,
        ca=stand_in.ca,
        timeout=20.0,
    )
