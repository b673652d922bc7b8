from __future__ import annotations

import importlib.util
import json
import pathlib
import sys

import pytest

PATH = pathlib.Path(__file__).resolve().parents[1] / "bench" / "report.py"


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("bench_report", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def samples(report):
    return [
        report.Sample("A", number, seconds, 0.5, {"step database": seconds / 2})
        for number, seconds in enumerate((2.0, 2.2, 9.0))
    ] + [report.Sample("C", 0, 20.0, 1.0, {})]


@pytest.mark.parametrize(
    ("values", "share", "wanted"),
    [
        ([3.0], 0.5, 3.0),
        ([3.0], 0.95, 3.0),
        ([1.0, 2.0], 0.5, 1.5),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([float(n) for n in range(101)], 0.95, 95.0),
    ],
)
def test_a_percentile_lies_between_the_values_around_it(report, values, share, wanted):
    assert report.percentile(values, share) == pytest.approx(wanted)


def test_the_summary_names_medians_bars_and_parts(report, samples):
    text = report.summary({"processors": "2"}, samples)
    assert "- processors: 2" in text
    row = "| A | a tenant with base, call to logged-in page | 3 | 2.20 s | 8.32 s |"
    assert row in text
    assert "3 s met" in text
    assert "### Parts of A" in text
    assert "| step database | 1.100 s |" in text
    assert "### Parts of C" not in text


def test_a_median_over_the_bar_is_called_missed(report):
    slow = [report.Sample("B", 0, 5.1, 0.0, {})]
    assert "5 s missed" in report.summary({}, slow)


@pytest.fixture
def copies(report):
    """Two rounds of a copy by ours, which is in all but the second of Odoo's."""
    return [
        report.Sample("F", 0, 1.0, 0.0, {}, {"sent to the store": 2_000_000}),
        report.Sample("F", 1, 5.0, 0.0, {}, {"sent to the store": 3_000_000}),
        report.Sample("F", 2, 0.4, 0.0, {}, {"sent to the store": 2_000_000}),
        report.Sample("G", 0, 2.0, 0.0, {}),
        report.Sample("G", 2, 1.0, 0.0, {}),
    ]


def test_arms_are_compared_within_a_round_and_not_across_rounds(report, copies):
    text = report.summary({}, copies)
    assert "| F / G | 2 | 0.450 | 0.495 | 0.600 met | 2.2 |" in text
    slow = [report.Sample("F", 3, 9.0, 0.0, {}), report.Sample("G", 3, 10.0, 0.0, {})]
    assert "0.600 missed" in report.summary({}, slow)


def test_an_arm_without_its_other_is_compared_with_nothing(report, copies):
    text = report.summary({}, copies[:3])
    assert "In the same round" not in text


def test_what_is_short_is_told_in_milliseconds(report):
    samples = [report.Sample("U", 0, seconds, 0.0, {}) for seconds in (-2e-4, 7e-4)]
    row = "| U | a request to one that has slept, less one to another | 2 | 0.25 ms |"
    text = report.summary({}, samples)
    assert row in text
    assert "| -0.20 ms | 0.70 ms | 0.001 s met |" in text


def test_bytes_are_told_in_megabytes(report, copies):
    assert "| sent to the store | 2.00 MB | 2.90 MB | 3.00 MB |" in report.summary(
        {}, copies
    )


def test_raw_numbers_are_kept_beside_the_summary(report, samples, tmp_path):
    report.write(tmp_path, {"processors": "2"}, samples)
    raw = json.loads((tmp_path / "samples.json").read_text())
    assert [sample["seconds"] for sample in raw["samples"]] == [2.0, 2.2, 9.0, 20.0]
    assert len((tmp_path / "samples.csv").read_text().splitlines()) == 1 + 4 + 3
    assert (tmp_path / "summary.md").read_text() == report.summary(
        raw["machine"], samples
    )


def test_raw_numbers_have_the_bytes_too(report, copies, tmp_path):
    report.write(tmp_path, {}, copies)
    raw = json.loads((tmp_path / "samples.json").read_text())
    assert raw["samples"][1]["sizes"] == {"sent to the store": 3_000_000}
    rows = (tmp_path / "samples.csv").read_text().splitlines()
    assert "1,F,sent to the store,,3000000,0.00" in rows


def test_a_run_that_broke_off_at_once_leaves_no_summary(report, tmp_path):
    report.write(tmp_path, {}, [])
    assert not (tmp_path / "summary.md").exists()


def test_the_largest_fleet_alone_is_held_against_its_bars(report):
    row = {"changed": 0, "rounds": 20, "max": 0.2}
    tick = {**row, "what": "tick, nothing changed"}
    rows = [
        {**tick, "tenants": 100, "queries": 9, "p50": 0.09},
        {**tick, "tenants": 10_000, "queries": 2, "p50": 0.04},
        {**tick, "tenants": 10_000, "queries": 6, "p50": 0.04},
        {**row, "what": "resync, nothing changed", "tenants": 10_000}
        | {"queries": 90, "p50": 2.5},
        {**row, "what": "tick, jobs lost", "tenants": 10_000}
        | {"changed": 7, "queries": 90, "p50": 2.5},
    ]
    text = report.fleet_summary({"processors": "2"}, rows)
    assert "- processors: 2" in text
    table = [line.split(" | ") for line in text.splitlines() if line.startswith("|")]
    assert [cells[-1].rstrip(" |") for cells in table[2:]] == [
        "-",
        "5 queries, 50 ms met",
        "5 queries, 50 ms missed",
        "2000 ms missed",
        "-",
    ]
