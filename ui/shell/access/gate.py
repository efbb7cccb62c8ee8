"""The door in front of every page."""

from __future__ import annotations

import hmac
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import streamlit as st

from tl_core.storage.ownership import person_id
from tl_core.storage.passcode import MAX_LENGTH, StoredHash
from tl_core.storage.workspace import Workspace
from ui.shell.access.protection import has_run_out, objection, protection

logger = logging.getLogger(__name__)

_SESSION: Final = "access"
_EXPIRES: Final = "access-expires"  # Unix seconds at which the login of this session is over
_WORD: Final = secrets.token_hex(32)  # what a session that was let in holds; new with every start of the server
_told: set[str] = set()
FREE_ATTEMPTS: Final = 3  # wrong pass-codes that cost no waiting
FIRST_WAIT: Final = 2.0  # seconds after the next one; each further one doubles it ...
LONGEST_WAIT: Final = 300.0  # ... up to this
FORGIVEN_AFTER: Final = 1800.0  # seconds without a wrong one, after which counting starts anew


def admitted() -> bool:
    """Whether the visitor of this session may see the page; otherwise draw what they can do about it."""
    door = protection()
    if door.refusal is not None:
        if door.refusal not in _told:  # the log has it once, not at every visit
            _told.add(door.refusal)
            logger.error("Nobody is let in: %s", door.refusal)
        st.error(door.refusal, icon=":material/lock:")
        return False
    if door.emails is not None:
        return _logged_in(door.emails)
    if door.passcode is not None:
        return _knows_passcode(door.passcode)
    return True


def who_sees() -> str:
    """Who sees the same datasets and runs, as a sentence."""
    door = protection()
    if door.open:
        return "No account is needed. Everyone at this machine shares one workspace."
    if door.passcode is not None:
        return "Everyone who has the pass-code shares one workspace."
    return "You see your own datasets and runs, and those that others have shared."


def seen_by_visitor(workspace: Workspace) -> Workspace:
    """The workspace as the visitor of this session may see it; they have been let in."""
    if protection().emails is None:
        return workspace
    return replace(workspace, person=person_id(workspace, str(st.user["email"])))


def show_visitor(key: str = "access") -> None:
    """Say who is logged in, with the way out; draw nothing where nobody logs in."""
    if protection().emails is None:
        return
    st.space("small")
    with st.container(key=f"{key}-visitor", gap="xxsmall"):
        _say_who()
        st.button(
            "Log out",
            key=f"{key}-log-out",
            icon=":material/logout:",
            type="tertiary",
            on_click=st.logout,
            help="Also of the account that you have logged in with, where its provider does so. A training goes on.",
        )


def _say_who() -> None:
    st.text(str(st.user.get("email") or ""), width="stretch")  # Markdown would make a link to write a mail


def leave_if_login_ran_out() -> None:
    """Draw the whole page anew, which asks to log in, as soon as the login of this session is over.

    A part of a page that refreshes itself would else go on without end: only the whole page asks who is there. The
    end stays known until then, so that a request for the whole page that got lost is made again.
    """
    expires = st.session_state.get(_EXPIRES)
    if expires is not None and time.time() >= expires:
        st.rerun()


def forget_end_of_login() -> None:
    """Begin a whole page, which asks anew who is there: `admitted` notes when that login is over."""
    st.session_state.pop(_EXPIRES, None)


def _logged_in(emails: frozenset[str]) -> bool:
    reason = objection(st.user, emails, time.time())
    if reason is None:
        if (expires := st.user.get("exp")) is not None:
            st.session_state[_EXPIRES] = float(str(expires))
        return True
    st.info(reason, icon=":material/lock:")
    if not st.user.get("is_logged_in") or has_run_out(st.user, time.time()):
        st.button("Log in", icon=":material/login:", type="primary", on_click=st.login)
    else:
        logger.warning("A login was not let in: %s", reason)
        _say_who()
        st.button("Log out", icon=":material/logout:", on_click=st.logout)
    return False


def _knows_passcode(stored: StoredHash) -> bool:
    word = st.session_state.get(_SESSION)
    if isinstance(word, str) and hmac.compare_digest(word, _WORD):
        return True
    with st.form("access-form", clear_on_submit=True, width=400):
        typed = st.text_input(
            "Pass-code",
            type="password",
            max_chars=MAX_LENGTH,
            autocomplete="current-password",
            help="Whoever runs this dashboard knows it. It is asked for once in each browser tab.",
        )
        if st.form_submit_button("Open the dashboard", type="primary", icon=":material/lock_open:") and typed:
            _try(stored, typed)
    return False


def _try(stored: StoredHash, typed: str) -> None:
    try:
        right = _attempts.attempt(lambda: stored.matches(typed))
    except TooManyAttemptsError as error:
        seconds = math.ceil(error.seconds)
        st.error(f"There were too many wrong pass-codes: wait {seconds} s, then try again.", icon=":material/timer:")
        return
    if right:
        st.session_state[_SESSION] = _WORD
        st.rerun()
    logger.warning("A wrong pass-code was tried.")
    st.error("This is not the pass-code: type it again.", icon=":material/lock:")


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


_attempts = Attempts()
