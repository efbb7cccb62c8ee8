"""A cache in memory for values that are slow to make; the least recently used is evicted first."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

_WAIT_SECONDS: Final = 0.2  # between two calls of `while_waiting`

Value = TypeVar("Value")


@dataclass(slots=True)
class _SharedLock:
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0  # threads that hold it or wait for it


class KeyedLocks:
    """One lock per key, which exists only while a thread holds it or waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[Hashable, _SharedLock] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextlib.contextmanager
    def hold(self, key: Hashable, while_waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Hold the lock of a key until the block is left.

        Args:
            key: whose lock.
            while_waiting: called several times a second as long as another thread holds it; what it raises ends
                the waiting.
        """
        with self._lock:
            shared = self._locks.setdefault(key, _SharedLock())
            shared.users += 1
        try:
            while not shared.lock.acquire(timeout=_WAIT_SECONDS):
                while_waiting()
            try:
                yield
            finally:
                shared.lock.release()
        finally:
            with self._lock:
                shared.users -= 1
                if not shared.users:
                    del self._locks[key]


class Pool(Generic[Value]):
    """At most ``size`` values by key, each in its latest version; may be used by several threads.

    A version is anything that differs when the value has to be made again, such as the time a file was changed. Older
    versions do not stay: a run in progress writes its best model again and again, and they would fill the memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = threading.Lock()
        self._making = KeyedLocks()
        self._entries: OrderedDict[Hashable, tuple[Hashable, Value]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable, make: Callable[[], Value], version: Hashable = None) -> Value:
        """The value of a key; ``make`` is called where it is not here, once for all who wait for it."""
        found = self.find(key, version)
        if found is None:
            with self._making.hold(key):
                found = self.find(key, version)
                if found is None:
                    found = make()
                    self.put(key, found, version)
        return found

    def find(self, key: Hashable, version: Hashable = None) -> Value | None:
        """The value of a key, now the most recently used; None where it is not here in this version."""
        with self._lock:
            here, value = self._entries.get(key, (None, None))
            if value is None or here != version:
                return None
            self._entries.move_to_end(key)
            return value

    def put(self, key: Hashable, value: Value, version: Hashable = None) -> None:
        """Hold a value in place of its older versions."""
        with self._lock:
            self._entries[key] = (version, value)
            self._entries.move_to_end(key)
            while len(self._entries) > self._size:
                self._entries.popitem(last=False)

    def take(self, key: Hashable) -> Value | None:
        """Remove and return a value: only the caller has it afterwards."""
        with self._lock:
            _, value = self._entries.pop(key, (None, None))
            return value

    def clear(self) -> None:
        """Remove all values."""
        with self._lock:
            self._entries.clear()
