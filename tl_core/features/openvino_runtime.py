"""OpenVINO without its telemetry: nothing of this product talks to the network on its own.

``import openvino`` and each conversion report usage through the package ``openvino_telemetry``, and leave an id
in the home folder. Every place that uses it falls back to a stub where the package is missing, so it is made
missing before the first import.

``openvino.convert_model`` takes the root logger of the whole process for itself: meanwhile nothing below an error is
logged, handlers that are added in this time are lost, and after a failure it stays so. :func:`convert` restores it.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

logger = logging.getLogger(__name__)

_TELEMETRY = "openvino_telemetry"
_converting = threading.Lock()  # two at once would each restore what the other one had set


def import_openvino() -> ModuleType | None:
    """The ``openvino`` module with telemetry off, or None where it is not installed or does not load."""
    if "openvino" not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # a None makes the import fail
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError) as error:
        logger.info("OpenVINO is not available: %s", error)
        return None


def convert(openvino: ModuleType, source: Any, **options: Any) -> Any:
    """``openvino.convert_model``, one at a time, after which the logging of this process is as it was.

    Args:
        openvino: from :func:`import_openvino`.
        source: what OpenVINO converts: a concrete function of TensorFlow, or the path of a model.

    Returns:
        An ``openvino.Model``.

    Raises:
        Exception: whatever OpenVINO raises for a model that it cannot convert; of a dozen unrelated types.
    """
    with _converting, _logging_as_it_was():
        return openvino.convert_model(source, **options)


@contextmanager
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    level, filters, handlers, was_silent = root.level, list(root.filters), root.handlers, not root.handlers
    try:
        yield
    finally:
        root.setLevel(level)
        root.filters = filters
        # The same list, in which whoever asked for the log meanwhile has put a handler. OpenVINO adds one of its own
        # where there was none.
        root.handlers = [] if was_silent else handlers
