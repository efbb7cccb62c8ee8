"""What a run has written down when it ended: its figures and how long each stage took."""

from __future__ import annotations

import logging
from typing import Any

from tl_core.errors import WorkspaceError
from tl_core.runs.record import RunRecord
from tl_core.storage.files import read_json

logger = logging.getLogger(__name__)


def read_metrics(run: RunRecord) -> dict[str, Any]:
    """The content of ``metrics.json``; empty where the run has not ended well, or the file is damaged."""
    try:
        values: dict[str, Any] = read_json(run.folder.metrics_file)
    except FileNotFoundError:
        return {}
    except WorkspaceError as error:
        logger.warning("The figures of the run %s are left out: %s", run.id, error)
        return {}
    return values
