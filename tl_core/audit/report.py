"""All of an audit at once: suspects among the labels, look-alikes, leaks, shortcuts, health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tl_core.audit.features import FeatureSource
from tl_core.audit.label_court import LabelSuspect, find_witnesses, judge_labels
from tl_core.audit.look_alikes import Pair, find_look_alikes
from tl_core.audit.shortcuts import Shortcut, find_shortcuts
from tl_core.data.dataset import Dataset, ImageRecord
from tl_core.data.health import Finding, health_report
from tl_core.machine.progress import UNATTENDED, TaskContext


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found in one revision of a dataset."""

    dataset: Dataset
    label_suspects: tuple[LabelSuspect, ...]  # most likely wrong first
    witnesses: Mapping[ImageRecord, tuple[ImageRecord, ...]]  # of the first suspects: the images most like each
    agreement: float  # share of labels that the heads agree with
    look_alikes: tuple[Pair, ...]
    shortcuts: tuple[Shortcut, ...]
    health: tuple[Finding, ...]

    @property
    def leaks(self) -> tuple[Pair, ...]:
        """The look-alikes of which one is for training and the other is not."""
        return tuple(pair for pair in self.look_alikes if pair.leaks)

    def as_values(self) -> dict[str, Any]:
        """The audit in plain values, images by their source names."""
        return {
            "label_suspects": [
                {
                    "image": suspect.record.source_name,
                    "label": suspect.label,
                    "suggested": suspect.suggested,
                    "score": suspect.score,
                    "split": suspect.record.split,
                }
                for suspect in self.label_suspects
            ],
            "look_alikes": [self._pair(pair) for pair in self.look_alikes],
            "leaks": [self._pair(pair) for pair in self.leaks],
            "shortcuts": [asdict(shortcut) for shortcut in self.shortcuts],
            "health": [{"level": finding.level, "text": finding.text} for finding in self.health],
        }

    def _pair(self, pair: Pair) -> dict[str, Any]:
        images = (pair.first, pair.second)
        return {
            "images": [record.source_name for record in images],
            "labels": [self.dataset.classes[record.label] for record in images],
            "splits": [record.split for record in images],
            "kind": pair.kind,
        }


def audit_dataset(dataset: Dataset, task: TaskContext = UNATTENDED) -> Audit:
    """Look for whatever is wrong with a dataset.

    Args:
        task: gets the progress of each step; checked for a stop.

    Raises:
        WeightsUnavailableError: the default backbone's weights are not here and cannot be downloaded.
        StoppedError: a stop was requested.
    """
    source = FeatureSource(dataset, task.part(0.0, 0.4))
    features = source.read()
    look_alikes = find_look_alikes(dataset, features, source.images, task)
    verdict = judge_labels(
        dataset, features, task.part(0.4, 0.6), [(pair.first, pair.second) for pair in look_alikes]
    )
    parts = FeatureSource(dataset, task.without_progress())  # each look at parts of the images would fill the bar
    shortcuts = find_shortcuts(dataset, parts, task.part(0.6, 1.0))
    return Audit(
        dataset=dataset,
        label_suspects=verdict.suspects,
        witnesses=find_witnesses(dataset, features, verdict.suspects),
        agreement=verdict.accuracy,
        look_alikes=look_alikes,
        shortcuts=shortcuts,
        health=health_report(dataset),
    )
