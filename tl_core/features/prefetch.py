"""Making the next batches in another thread while the current one is worked on."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def prefetched(items: Iterable[T], depth: int = 2) -> Iterator[Iterator[T]]:
    """Make ``items`` in another thread, up to ``depth`` ahead; leaving the block ends that thread."""
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(depth)
    closed = threading.Event()

    def offer(entry: tuple[bool, Any]) -> None:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                ready.put(entry, timeout=0.1)
                return

    def produce() -> None:
        try:
            for item in items:
                offer((True, item))
                if closed.is_set():
                    return
            offer((False, None))
        except BaseException as error:  # noqa: BLE001  # passed to the consumer, which raises it
            offer((False, error))

    def consume() -> Iterator[T]:
        while True:
            more, value = ready.get()
            if more:
                yield value
            elif value is None:
                return
            else:
                raise value

    producer = threading.Thread(target=produce, name="prefetch", daemon=True)
    producer.start()
    try:
        yield consume()
    finally:
        closed.set()
        producer.join()
