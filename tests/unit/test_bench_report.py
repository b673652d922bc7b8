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


def test_raw_numbers_are_kept_beside_the_summary(report, samples, tmp_path):
    report.write(tmp_path, {"processors": "2"}, samples)
    raw = json.loads((tmp_path / "samples.json").read_text())
    assert [sample["seconds"] for sample in raw["samples"]] == [2.0, 2.2, 9.0, 20.0]
    assert len((tmp_path / "samples.csv").read_text().splitlines()) == 1 + 4 + 3
    assert (tmp_path / "summary.md").read_text() == report.summary(
        raw["machine"], samples
    )


def test_a_run_that_broke_off_at_once_leaves_no_summary(report, tmp_path):
    report.write(tmp_path, {}, [])
    assert not (tmp_path / "summary.md").exists()
