"""The report of a fault run, and that no case is without a test."""

from __future__ import annotations

import importlib.util
import pathlib
import re
import sys

import pytest

FAULTS = pathlib.Path(__file__).resolve().parent.parent / "faults"


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("report", FAULTS / "report.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["report"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["report"]


def test_each_case_has_a_module_of_its_name(report):
    files = [path.name for path in FAULTS.rglob("test_*.py")]
    names = {re.match(r"test_([a-z0-9]+)_", name)[1] for name in files}
    assert {re.sub(r"^t(?=\d)", "T", name) for name in names} == set(report.TITLES)
    assert {f"T{number}" for number in range(22, 32)} <= set(report.TITLES)


def test_what_is_said_to_be_elsewhere_is_there(report):
    assert not set(report.ELSEWHERE) & set(report.TITLES)
    for _title, place in report.ELSEWHERE.values():
        assert (FAULTS.parents[1] / place).is_file()


def test_the_report_says_what_was_done_expected_and_found(report):
    good = report.Case("T22", "it is cut", "it goes on", ["2 parts", "0 left"], 1.25)
    bad = report.Case("T22", "it is cut", "it goes on", [], 2.0, failure="it did not")
    text = report.make_report([good, bad], "today")
    assert "| T22 | The connection to the bucket is cut" in text
    assert "| 2 | 3.2 | 1 failed |" in text
    assert "| 0 | 0.0 | not run |" in text
    assert "- done: it is cut\n- expected: it goes on\n- found: 2 parts\n" in text
    assert "- OK, 1.2 s" in text
    assert "- FAILED: it did not, 2.0 s" in text
