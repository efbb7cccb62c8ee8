"""Slowing down whoever tries one pass-code after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

FREE_ATTEMPTS: Final = 3  # wrong pass-codes that cost no waiting
FIRST_WAIT: Final = 2.0  # seconds after the next one; each further one doubles it ...
LONGEST_WAIT: Final = 300.0  # ... up to this
FORGIVEN_AFTER: Final = 1800.0  # seconds without a wrong one, after which counting starts anew


class TooManyAttemptsError(Exception):
    """The next attempt has to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"wait {seconds:.0f} s")
        self.seconds = seconds


class Attempts:
    """Counts wrong pass-codes of the whole process: a new tab, browser or address does not start again.

    A right one does not set the count back, or somebody who tries would gain from those who know it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong = 0
        self._last = 0.0

    def attempt(self, is_right: Callable[[], bool]) -> bool:
        """Ask ``is_right`` if it is time for another attempt, one at a time.

        Raises:
            TooManyAttemptsError: it is not; nothing was asked.
        """
        with self._lock:
            left = self._seconds_left()
            if left > 0:
                raise TooManyAttemptsError(left)
            right = is_right()
            if not right:
                self._wrong += 1
                self._last = self._clock()
            return right

    def _seconds_left(self) -> float:
        since = self._clock() - self._last
        if since > FORGIVEN_AFTER:
            self._wrong = 0
        beyond = self._wrong - FREE_ATTEMPTS
        if beyond <= 0:
            return 0.0
        return min(FIRST_WAIT * 2.0 ** min(beyond - 1, 30), LONGEST_WAIT) - since
