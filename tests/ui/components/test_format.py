from datetime import UTC, datetime

import pytest

from ui.components import format


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


def test_plain_text_is_no_markdown():
    assert format.plain("<b> *a* $x$ :red[b]") == "\\<b\\> \\*a\\* \\$x\\$ \\:red\\[b\\]"
    assert format.plain("日本語 cat") == "日本語 cat"
