"""Numbers, sizes and times as text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tl_core.storage import format


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (3.04, "3.0 s"),
        (42.4, "42 s"),
        (59.9, "1 min 00 s"),
        (200, "3 min 20 s"),
        (3900, "1 h 05 min"),
    ],
)
def test_duration(seconds, text):
    assert format.duration(seconds) == text


@pytest.mark.parametrize(("share", "text"), [(None, "–"), (0.97234, "97.2 %"), (1, "100.0 %")])
def test_percent(share, text):
    assert format.percent(share) == text


@pytest.mark.parametrize(("amount", "text"), [(0, "0 classes"), (1, "1 class"), (1258, "1,258 classes")])
def test_count(amount, text):
    assert format.count(amount, "class", "classes") == text


@pytest.mark.parametrize(
    ("iso", "text"),
    [
        ("2026-05-04T11:59:31+00:00", "just now"),
        ("2026-05-04T11:55:00+00:00", "5 min ago"),
        ("2026-05-04T09:00:00+00:00", "3 h ago"),
        ("2026-05-01T09:00:00+00:00", "01 May 2026"),
    ],
)
def test_moment(iso, text):
    assert format.moment(iso, datetime(2026, 5, 4, 12, tzinfo=UTC)) == text


def test_seconds_between():
    assert format.seconds_between("2026-05-04T09:00:00+00:00", "2026-05-04T09:01:30+00:00") == 90
    assert format.seconds_between("2026-05-04T09:00:00+00:00", None) is None


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (1.0, "1"),
        (0.001, "0.001"),
        (0.0005, "0.0005"),
        (0.0001, "0.0001"),
        (5e-5, "5 × 10⁻⁵"),
        (1e-5, "10⁻⁵"),
        (2.5e-7, "2.5 × 10⁻⁷"),
        (0.0, "0"),
    ],
)
def test_a_rate_reads_without_counting_zeros(rate, text):
    assert format.scientific(rate) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.08731, "0.0873"),
        (1.25e-5, "1.25 × 10⁻⁵"),
        (123.4, "123"),
        (1240.4, "1,240"),
        (3.4e12, "3.4 × 10¹²"),
        (float("nan"), "nan"),
    ],
)
def test_no_number_is_written_as_a_program_would(value, text):
    assert format.number(value) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1234, "1,234"),
        (12_345, "12.3 k"),
        (999_900, "1.0 M"),
        (14_714_688, "14.7 M"),
        (138_357_544, "138 M"),
    ],
)
def test_parameters_are_counted_with_sensible_digits(count, text):
    assert format.short_count(count) == text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "a few seconds"), (42, "about 40 seconds"), (61, "about 1 minute"), (4900, "about 1 hour 20 minutes")],
)
def test_durations_are_rounded_to_sensible_units(seconds, words):
    assert format.rough_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "5 s"), (42, "40 s"), (61, "1 min"), (3500, "58 min"), (3600, "1 h"), (4900, "1 h 20 min")],
)
def test_durations_are_shortened(seconds, text):
    assert format.short_duration(seconds) == text


def test_counts_are_shortened():
    assert format.large_count(12810) == "12,810"
    assert format.large_count(3_412_000) == "3.4 million"


@pytest.mark.parametrize(
    ("amount", "digits", "text"),
    [
        (0, 0, "0 MB"),
        (3_600_000, 0, "4 MB"),
        (2_100_000_000, 0, "2.1 GB"),
        (17_312_000, 1, "17.3 MB"),
        (12_345, 1, "12 KB"),
    ],
)
def test_size(amount, digits, text):
    assert format.size(amount, digits) == text
