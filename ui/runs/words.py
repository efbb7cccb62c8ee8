"""What there is to say about a run, in few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.backbones.registry import BACKBONES
from tl_core.config import TrainingConfig
from tl_core.errors import TransferLearningError
from tl_core.runs import RunRecord, Status
from ui.training_form.learning_rates import format_rate
from ui.words import moment, percent, plain, seconds_between

STATUS_WORDS: Final[dict[Status, str]] = {
    "queued": "Waiting",
    "running": "In training",
    "done": "Done",
    "stopped": "Stopped by you",
    "cancelled": "Cancelled",
    "failed": "Failed",
    "interrupted": "Cut off",
}


def status_words(run: RunRecord) -> str:
    """How a run stands, such as ``Stopped by you, no model``."""
    words = STATUS_WORDS[run.status]
    return words if run.has_model or run.active or run.status == "failed" else f"{words}, no model"


def backbone_title(config: TrainingConfig) -> str:
    """The backbone's name for people; its identifier where this version does not know it."""
    backbone = BACKBONES.get(config.backbone)
    return backbone.title if backbone else config.backbone


def frozen_words(config: TrainingConfig) -> str:
    """How much of the backbone stays frozen: ``all 151``, ``120 of 151``, ``none of 151``."""
    outline = _outline(config)
    frozen = config.frozen_layers
    if outline is None:
        return "all" if frozen is None else str(frozen)
    layers = len(outline.layers)
    if frozen is None or frozen >= layers:
        return f"all {layers}"
    return f"{frozen or 'none'} of {layers}"


def fine_tunes(config: TrainingConfig) -> bool:
    """Whether there is a second phase, in which layers of the backbone learn too."""
    return config.fine_tune_epochs > 0 and config.frozen_layers is not None


def rates_words(config: TrainingConfig) -> str:
    """The learning rate, and that of fine-tuning where there is one: ``0.001, then 10⁻⁵``."""
    rate = format_rate(config.learning_rate)
    return f"{rate}, then {format_rate(config.fine_tune_learning_rate)}" if fine_tunes(config) else rate


def run_seconds(run: RunRecord, now: datetime | None = None) -> float | None:
    """How long the run has taken so far; None before it began, or where nobody wrote down when it ended."""
    end = run.finished or ((now or datetime.now(UTC)).isoformat() if run.status == "running" else None)
    return seconds_between(run.started, end)


def run_line(run: RunRecord) -> str:
    """Dataset, backbone, frozen layers, rates and age of a run in one line of Markdown."""
    parts = (
        f"Dataset **{plain(run.dataset_name)}**",
        backbone_title(run.config),
        f"{frozen_words(run.config)} layers frozen",
        f"learning rate {rates_words(run.config)}",
        f"made {moment(run.created)}",
    )
    return " · ".join(parts)


def run_labels(runs: Iterable[RunRecord]) -> dict[str, str]:
    """Runs as entries of a list of choices, in plain text, by id.

    Streamlit knows an entry by its text alone: so no two are equal, and none changes with the time of day.
    """
    labels: dict[str, str] = {}
    seen: Counter[str] = Counter()
    for run in sorted(runs, key=lambda run: run.created):  # a newer one with an equal label gets the number
        label = _label(run)
        seen[label] += 1
        labels[run.id] = label if seen[label] == 1 else f"{label} ({seen[label]})"
    return labels


def _label(run: RunRecord) -> str:
    parts = [f"★ {run.name}" if run.starred else run.name]
    if run.active:
        parts.append("in training")
    elif run.best:
        parts.append(percent(run.best.val_accuracy))
    parts.append(datetime.fromisoformat(run.created).astimezone().strftime("%d %b %Y, %H:%M"))
    return " · ".join(parts)


def model_words(run: RunRecord) -> str:
    """Which model answers for a run: ``the model of epoch 14 (fine-tuning)``."""
    if run.best is None:
        return "the model kept so far"
    phase = {"head": "feature extraction", "fine_tune": "fine-tuning"}.get(run.best.phase, run.best.phase)
    return f"the model of epoch {run.best.epoch} ({phase})"


def _outline(config: TrainingConfig) -> BackboneOutline | None:
    try:
        return load_outline(config.backbone)
    except (TransferLearningError, FileNotFoundError):
        return None  # a run of a version that knew other backbones is still worth showing
