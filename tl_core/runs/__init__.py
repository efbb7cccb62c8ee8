"""A run on the disk: its configuration, its events, and its model.

The run folder is the truth. The training writes it, every page only reads it, so a reloaded page, a second
browser and a restarted server all show the same run.
"""

from tl_core.runs.annotations import has_tags, tags_of
from tl_core.runs.progress import RunProgress, read_progress
from tl_core.runs.record import ACTIVE, Best, RunFolder, RunRecord, Status
from tl_core.runs.store import (
    annotate_run,
    create_run,
    dataset_of,
    delete_run,
    find_run,
    list_runs,
    load_run,
    run_exists,
    update_run,
)
from tl_core.storage.event_log import Event, EventLog, EventReader, read_events

__all__ = [
    "ACTIVE",
    "Best",
    "Event",
    "EventLog",
    "EventReader",
    "RunFolder",
    "RunProgress",
    "RunRecord",
    "Status",
    "annotate_run",
    "create_run",
    "dataset_of",
    "delete_run",
    "find_run",
    "has_tags",
    "list_runs",
    "load_run",
    "read_events",
    "read_progress",
    "run_exists",
    "tags_of",
    "update_run",
]
