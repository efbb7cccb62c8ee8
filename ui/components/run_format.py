"""Short texts about a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from tl_core.config.format_settings import backbone_title, format_frozen, format_rates
from tl_core.config.phases import PHASE_TITLES
from tl_core.machine.hardware import Load
from tl_core.runs import RunRecord, Status
from tl_core.runs.comparison import test_accuracy
from tl_core.runs.epoch_checkpoints import EpochCheckpoint
from tl_core.runs.node_report import report_of
from tl_core.runs.record import Best
from tl_core.storage.format import moment, percent
from ui.components.markdown import plain

STATUS_WORDS: Final[dict[Status, str]] = {
    "queued": "Waiting",
    "running": "In training",
    "done": "Done",
    "stopped": "Stopped by you",
    "failed": "Failed",
    "interrupted": "Cut off",
}


def format_status(run: RunRecord) -> str:
    """How a run stands, such as ``Stopped by you, no model``."""
    words = STATUS_WORDS[run.status]
    return words if run.has_model or run.active or run.status == "failed" else f"{words}, no model"


def run_line(run: RunRecord) -> str:
    """Dataset, backbone, frozen layers, rates and age of a run in one line of Markdown."""
    parts = (
        f"Dataset **{plain(run.dataset_name)}**",
        " + ".join(map(backbone_title, (run.config, *run.members))),
        f"{format_frozen(run.config)} layers frozen",
        f"learning rate {format_rates(run.config)}",
        f"made {moment(run.created)}",
    )
    return " · ".join(parts)


def format_load(load: Load) -> str:
    """How busy a machine is, such as ``CPU 84 % · memory 6.1 of 16.0 GB``."""
    used, total = load.memory_used_bytes / 1e9, load.memory_total_bytes / 1e9
    parts = [f"CPU {load.cpu_percent:.0f} %", f"memory {used:.1f} of {total:.1f} GB"]
    if load.gpu_percent is not None:
        memory = f", {load.gpu_memory_used_mb / 1024:.1f} GB used" if load.gpu_memory_used_mb is not None else ""
        parts.append(f"GPU {load.gpu_percent:.0f} %{memory}")
    return " · ".join(parts)


def node_line(run: RunRecord) -> str | None:
    """Which node of a cluster works on a run and how busy it is, as Markdown; None for a run of this machine."""
    report = report_of(run) if run.active else None
    if report is None:
        return None
    return f"on **{plain(report.node)}** ({plain(report.device)}): {format_load(report.load)}"


def run_labels(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Runs as entries of a list of choices, in plain text, by id; none changes with the time of day."""
    oldest_first = sorted(runs, key=lambda run: run.created)
    return unique_labels((run.id, _label(run)) for run in oldest_first)


def short_labels(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Runs as entries of a narrow list, in plain text, by id: name and accuracy."""
    oldest_first = sorted(runs, key=lambda run: run.created)
    return unique_labels((run.id, " · ".join(_name_and_accuracy(run))) for run in oldest_first)


def accuracy_of(run: RunRecord) -> tuple[float, str] | None:
    """Share of right answers (0-1) and the split it was measured on: test images where there are any.

    None while nothing has been measured. Every list and card shows this one number.
    """
    tested = test_accuracy(run)
    if tested is not None:
        return tested, "test"
    return (run.best.val_accuracy, "validation") if run.best else None


def format_accuracy(run: RunRecord) -> str:
    """Such as ``95.2 % of the test images right``; empty while nothing has been measured."""
    found = accuracy_of(run)
    return f"{percent(found[0])} of the {found[1]} images right" if found else ""


def unique_labels(labels: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Texts of the entries of a list by id, given oldest first, in turn newest first; equal ones get a number.

    Streamlit identifies an entry by its text alone: of two equal ones it would always take the last.
    """
    unique: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for name, label in labels:
        seen[label] += 1
        unique[name] = label if seen[label] == 1 else f"{label} ({seen[label]})"
    return dict(reversed(unique.items()))


def _label(run: RunRecord) -> str:
    made = datetime.fromisoformat(run.created).astimezone()
    return " · ".join([*_name_and_accuracy(run), made.strftime("%d %b, %H:%M")])


def _name_and_accuracy(run: RunRecord) -> list[str]:
    name = f"★ {run.name}" if run.starred else run.name
    if run.active:
        return [name, "in training"]
    found = accuracy_of(run)
    return [name, f"{percent(found[0])} {found[1]}"] if found else [name]


def format_model(epoch: Best | EpochCheckpoint | None) -> str:
    """The model of an epoch as text: ``the model of epoch 14 (fine-tuning)``; None = it is not known which epoch."""
    if epoch is None:
        return "the model kept so far"
    return f"the model of epoch {epoch.epoch} ({PHASE_TITLES.get(epoch.phase, epoch.phase)})"
