"""A pool is bounded, has the latest versions, and makes one value while it makes another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tl_core.machine.pool import KeyedLocks, Pool

SECONDS = 20


def test_the_pool_is_bounded_and_lets_the_least_recently_used_go():
    pool, made = Pool(2), []
    for key in ("a", "b", "a", "c", "a", "b"):
        pool.get(key, lambda key=key: made.append(key) or f"value {key}")
    assert made == ["a", "b", "c", "b"]
    assert len(pool) == 2


def test_a_newer_version_takes_the_place_of_the_older_one():
    pool = Pool(2)
    pool.get("other", lambda: "other", 1)
    for version in range(5):
        made = pool.get("in training", lambda version=version: f"version {version}", version)
        assert made == f"version {version}"
    assert pool.get("other", lambda: pytest.fail("made again"), 1) == "other"
    assert len(pool) == 2


def test_one_value_is_made_while_another_is_being_made():
    pool, begun, go_on = Pool(2), threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert go_on.wait(SECONDS)
        return "slow"

    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(pool.get, "slow", slow)
        assert begun.wait(SECONDS)
        try:
            assert threads.submit(pool.get, "quick", lambda: "quick").result(SECONDS) == "quick"
        finally:
            go_on.set()
        assert waiting.result(SECONDS) == "slow"


def test_ten_who_want_the_same_value_at_once_get_one():
    pool, made, together = Pool(2), [], threading.Barrier(10)

    def want(_):
        together.wait(SECONDS)
        return pool.get("same", lambda: made.append(1) or "value")

    with ThreadPoolExecutor(10) as threads:
        assert list(threads.map(want, range(10))) == ["value"] * 10
    assert len(made) == 1


def test_what_could_not_be_made_is_tried_again_by_the_next():
    pool = Pool(2)
    with pytest.raises(OSError, match="no model"):
        pool.get("a", lambda: (_ for _ in ()).throw(OSError("no model")))
    assert pool.get("a", lambda: "value") == "value"


def test_what_was_taken_is_no_longer_here():
    pool = Pool(2)
    pool.put("a", "value")
    assert pool.take("a") == "value"
    assert pool.take("a") is None


def test_no_lock_stays_when_nobody_holds_it():
    locks = KeyedLocks()
    for number in range(100):
        with locks.hold(number):
            assert len(locks) == 1
    with pytest.raises(OSError, match="gone"), locks.hold("a"):
        raise OSError("gone")
    assert len(locks) == 0


def test_waiting_for_a_lock_can_be_stopped():
    locks, asked = KeyedLocks(), []

    def give_up():
        asked.append(1)
        raise TimeoutError

    with locks.hold("a"):
        with pytest.raises(TimeoutError), locks.hold("a", give_up):
            pytest.fail("somebody else holds it")
        assert len(locks) == 1
    assert asked == [1]
