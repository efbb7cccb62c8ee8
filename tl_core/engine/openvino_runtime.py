"""OpenVINO without its telemetry: nothing of this product talks to the network on its own.

``import openvino`` and each conversion report usage through the package ``openvino_telemetry``, and leave an id
in the home folder. Every place that uses it falls back to a stub where the package is missing, so it is made
missing before the first import.
"""

from __future__ import annotations

import importlib
import logging
import sys
from types import ModuleType

logger = logging.getLogger(__name__)

_TELEMETRY = "openvino_telemetry"


def import_openvino() -> ModuleType | None:
    """The ``openvino`` module with telemetry off, or None where it is not installed or does not load."""
    if "openvino" not in sys.modules:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # a None makes the import fail
    try:
        return importlib.import_module("openvino")
    except (ImportError, OSError) as error:
        logger.info("OpenVINO is not available: %s", error)
        return None
