"""What a browser tab holds longer than a session: Streamlit gives a reloaded page a new and empty one.

The browser keeps the tab's key as long as the tab is open (`ui.frame.browser`); under it the process keeps small
values and the photos that were shown to a model. Nothing of it is ever on the disk.
"""

from __future__ import annotations

import copy
import secrets
import threading
from collections import OrderedDict
from typing import Any, Final

import streamlit as st

MAX_TABS: Final = 200  # that are remembered; the one used longest ago is forgotten
MAX_BYTES: Final = 200_000_000  # of all tabs together
_SESSION: Final = "tab-key"
_PERSON: Final = "person"  # whose tab it is


class TabMemory:
    """The values of all tabs; pages of several sessions ask at the same time."""

    def __init__(self, max_tabs: int = MAX_TABS, max_bytes: int = MAX_BYTES) -> None:
        self._lock = threading.Lock()
        self._tabs: OrderedDict[str, dict[str, tuple[Any, int]]] = OrderedDict()
        self._max_tabs, self._max_bytes = max_tabs, max_bytes

    def keep(self, tab: str, name: str, value: Any, size: int = 0) -> None:
        """Remember a value; tabs used longest ago are forgotten where that is too much.

        Args:
            tab: its key.
            name: of the value.
            value: whatever it is.
            size: its bytes, where they count; one that is too large by itself is not kept.
        """
        with self._lock:
            values = self._tabs.setdefault(tab, {})
            self._tabs.move_to_end(tab)
            values.pop(name, None)
            if size <= self._max_bytes:
                values[name] = (value, size)
            while len(self._tabs) > self._max_tabs or self._bytes() > self._max_bytes:
                self._tabs.popitem(last=False)

    def find(self, tab: str, name: str) -> Any:
        """A value of a tab; None where none is kept."""
        with self._lock:
            return self._tabs.get(tab, {}).get(name, (None, 0))[0]

    def hand_over(self, old: str, new: str) -> bool:
        """Give copies of what a tab holds to another; returns whether there was more than whose tab it is.

        Copies, because the address of a tab may have been opened twice.
        """
        with self._lock:
            found = {name: (copy.copy(value), size) for name, (value, size) in self._tabs.get(old, {}).items()}
            if not found:
                return False
            self._tabs[new] = found | self._tabs.get(new, {})  # what a link has just brought counts
            self._tabs.move_to_end(new)
            if self._bytes() > self._max_bytes:
                self._tabs.pop(old)
            return any(value for name, (value, _) in found.items() if name != _PERSON)

    def _bytes(self) -> int:
        return sum(size for values in self._tabs.values() for _, size in values.values())


_memory: Final = TabMemory()


def tab_key() -> str:
    """The key of this session's tab: 128 random bits, which no other visitor can guess."""
    key: str = st.session_state.setdefault(_SESSION, secrets.token_urlsafe(16))
    return key


def keep_in_tab(name: str, value: Any, size: int = 0) -> None:
    """Remember a value over a reload of the page; ``size`` in bytes, where it is large."""
    _memory.keep(tab_key(), name, value, size)


def kept_in_tab(name: str) -> Any:
    """What was remembered under a name; None where there is nothing."""
    return _memory.find(tab_key(), name)


def of_person(person: str | None) -> None:
    """Remember whose tab it is; None where nobody logs in."""
    keep_in_tab(_PERSON, person)


def come_back(old: str) -> bool:
    """Take over what the tab held before it was reloaded; returns whether a page looks different for it."""
    return _memory.hand_over(old, tab_key())


def was_of(old: str, person: str | None) -> bool:
    """Whether a tab was this person's: another may have logged in since in the same browser."""
    return bool(_memory.find(old, _PERSON) == person)
