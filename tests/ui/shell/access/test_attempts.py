"""Guessing pass-codes is slow, however it is tried."""

from __future__ import annotations

import threading

import pytest

from ui.shell.access.gate import (
    FIRST_WAIT,
    FORGIVEN_AFTER,
    FREE_ATTEMPTS,
    LONGEST_WAIT,
    Attempts,
    TooManyAttemptsError,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock) -> Attempts:
    return Attempts(clock)


def wrong():
    return False


def right():
    return True


def waits(attempts, clock, times):
    """The seconds to wait after each of so many more wrong pass-codes."""
    found = []
    for _ in range(times):
        try:
            attempts.attempt(wrong)
            found.append(0.0)
        except TooManyAttemptsError as error:
            found.append(error.seconds)
            clock.now += error.seconds
            attempts.attempt(wrong)
    return found


def test_a_few_slips_cost_nothing_then_each_wait_is_twice_as_long(attempts, clock):
    found = waits(attempts, clock, FREE_ATTEMPTS + 5)
    assert found == [0.0] * (FREE_ATTEMPTS + 1) + [FIRST_WAIT * 2**power for power in range(4)]


def test_the_wait_has_an_end_and_a_thousand_guesses_take_days(attempts, clock):
    found = waits(attempts, clock, 1000)
    assert max(found) == LONGEST_WAIT
    assert sum(found) > 3 * 24 * 3600


def test_while_waiting_no_passcode_is_checked_not_even_the_right_one(attempts):
    for _ in range(FREE_ATTEMPTS + 1):
        attempts.attempt(wrong)
    asked = []
    with pytest.raises(TooManyAttemptsError):
        attempts.attempt(lambda: bool(asked.append("asked")) or True)
    assert asked == []


def test_a_right_one_does_not_help_those_who_guess(attempts):
    for _ in range(FREE_ATTEMPTS):
        attempts.attempt(wrong)
    assert attempts.attempt(right)
    attempts.attempt(wrong)
    with pytest.raises(TooManyAttemptsError):
        attempts.attempt(right)


def test_after_a_long_quiet_time_counting_starts_anew(attempts, clock):
    waits(attempts, clock, 20)
    clock.now += FORGIVEN_AFTER + 1
    assert waits(attempts, clock, FREE_ATTEMPTS) == [0.0] * FREE_ATTEMPTS


def test_many_at_once_are_checked_one_at_a_time_and_all_counted(attempts):
    inside, most, refused = [], [], []

    def slow():
        inside.append(1)
        most.append(len(inside))
        inside.pop()
        return False

    def guess():
        try:
            attempts.attempt(slow)
        except TooManyAttemptsError:
            refused.append(1)

    threads = [threading.Thread(target=guess) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == FREE_ATTEMPTS + 1
    assert len(refused) == 50 - FREE_ATTEMPTS - 1
