import pytest
from hypothesis import given
from hypothesis import strategies as st

from tl_core.figures.history import decimate

VALUES = st.one_of(st.none(), st.floats(-1e6, 1e6, allow_nan=False))


def test_a_short_series_stays_whole():
    assert decimate([3.0, None, 1.0], 4) == [0, 1, 2]


def test_a_spike_survives():
    values = [0.0] * 10_000
    values[7_777], values[1_234] = 9.0, -9.0
    places = decimate(values, 100)
    assert len(places) <= 100
    assert {1_234, 7_777} <= set(places)


def test_a_gap_stays_a_gap():
    values = [1.0] * 100 + [None] * 100 + [1.0] * 100
    kept = [values[place] for place in decimate(values, 30)]
    assert None in kept


@given(st.lists(VALUES, max_size=400), st.integers(4, 60))
def test_never_more_than_the_limit_always_the_ends_and_the_extremes(values, limit):
    places = decimate(values, limit)
    assert len(places) <= max(limit, 0)
    assert places == sorted(set(places))
    if values:
        assert places[0] == 0
        assert places[-1] == len(values) - 1
    present = [value for value in values if value is not None]
    kept = [values[place] for place in places if values[place] is not None]
    if present:
        assert (min(kept), max(kept)) == (min(present), max(present))


def test_a_limit_too_small_is_refused():
    with pytest.raises(ValueError, match="at least 4"):
        decimate([1.0], 3)
