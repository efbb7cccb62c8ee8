"""Which node of a cluster trains a run, and how busy it is: a small file that the training's process renews.

The process may be on another machine than the pages, where nobody can ask the system whether it lives.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from typing import Final

from tl_core.machine.hardware import Load
from tl_core.runs.record import Owner, RunFolder, RunRecord

RENEWED_EVERY: Final = 2.0  # seconds
GONE_AFTER: Final = 60.0  # seconds without a report, clocks that differ included


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The latest report on one run at work."""

    t: float  # Unix seconds, by the clock of the node
    owner: Owner  # the process that reports
    node: str  # name of the machine
    device: str  # its GPU or CPU, in words
    load: Load


def write_report(folder: RunFolder, report: NodeReport) -> None:
    """Replace the report; not flushed to the disk, because after a crash it is not needed.

    Raises:
        OSError: the run was deleted, or the disk is full or away.
    """
    temporary = folder.node_file.with_name(f".{folder.node_file.name}")
    temporary.write_text(json.dumps(asdict(report)), "utf-8")
    temporary.replace(folder.node_file)


def report_of(run: RunRecord) -> NodeReport | None:
    """The report of the process that owns a run, or None where that does not report: it is on this machine."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        values = json.loads(run.folder.node_file.read_text("utf-8"))
        report = NodeReport(**{**values, "owner": Owner(**values["owner"]), "load": Load(**values["load"])})
        return report if report.owner == run.owner else None  # else it is of an earlier attempt
    return None
