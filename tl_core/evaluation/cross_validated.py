"""The cross-validated accuracy of a run on small data, ``83 % ± 4``, and where it is kept.

A few dozen test images say little of a model. Where there are few images, all of them can be test images in turn:
repeated stratified k-fold cross-validation, whose folds tear apart no look-alikes, recordings or copies
(`tl_core.training.cross_validation` trains the heads). Folds share most of what their heads learn from, so their
scores are no independent draws; the deviation is corrected for this as Nadeau and Bengio do (Inference for the
Generalization Error, Machine Learning 52, 2003, https://doi.org/10.1023/A:1024068626366), and for repetitions as
Bouckaert and Frank do (PAKDD 2004, https://doi.org/10.1007/978-3-540-24775-3_3).
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from tl_core.config.phases import HEAD
from tl_core.data.dataset import Dataset
from tl_core.errors import TransferLearningError
from tl_core.runs import RunRecord
from tl_core.runs.evaluations import read_metrics
from tl_core.storage.files import read_json, write_json
from tl_core.storage.format import count, percent
from tl_core.storage.schemas import CROSS_VALIDATION

logger = logging.getLogger(__name__)

MOST_IMAGES: Final = 1000  # in all splits together; where there are more, the test images tell enough
FOLDS: Final = 10  # so many that a head learns from about as large a part of the images as the run's own
REPEATS: Final = 3
FEWEST: Final = 3  # different images of each class: to learn from, to choose the epoch by, and to be asked about


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossValidation:
    """What heads answer about images that they have not seen; shares are 0-1."""

    accuracy: float  # mean over all folds of all repetitions
    deviation: float  # standard deviation of that mean, corrected for what the folds share
    repeats: tuple[float, ...]  # share of right answers in each repetition
    heads: int  # in all, one for each fold of each repetition
    images: int
    fine_tuned: bool  # whether the run was, which is not repeated: then this is of heads on the frozen backbone

    @property
    def text(self) -> str:
        """Such as ``83 % ± 4``, and ``99.6 % ± 0.3`` where whole percents would say that there is no doubt."""
        digits = 0 if 100 * self.deviation >= 1 else 1
        return f"{percent(self.accuracy, digits)} ± {100 * self.deviation:.{digits}f}"

    @property
    def meaning(self) -> str:
        """What the number says, in a sentence or two."""
        first = (
            f"Cross-validated: mean and standard deviation of {count(self.heads, 'head')} trained as this one, each "
            "asked about images that it had not seen."
        )
        return f"{first} All on the frozen backbone: fine-tuning is not repeated." if self.fine_tuned else first

    def as_values(self) -> dict[str, Any]:
        """Plain values, as the command line prints them."""
        return {**asdict(self), "repeats": list(self.repeats), "text": self.text}


def summarize(scores: Sequence[Sequence[float]], images: int, *, fine_tuned: bool) -> CrossValidation:
    """The number that the scores of all folds come to.

    Args:
        scores: share of right answers in each fold of each repetition, 0-1; at least two folds.
        images: in all folds of a repetition together.
        fine_tuned: whether the run was.
    """
    flat = np.concatenate([np.asarray(row, float) for row in scores])
    folds = len(flat) / len(scores)
    corrected = math.sqrt((1 / len(flat) + 1 / (folds - 1)) * float(flat.var(ddof=1)))
    accuracy = float(flat.mean())
    # Where every answer is right the scores do not vary, and the next picture can still be wrong (Laplace's rule).
    share = (accuracy * images + 1) / (images + 2)
    least = math.sqrt(share * (1 - share) / (images + 3))
    return CrossValidation(
        accuracy=accuracy,
        deviation=max(corrected, least),
        repeats=tuple(float(np.mean(row)) for row in scores),
        heads=len(flat),
        images=images,
        fine_tuned=fine_tuned,
    )


def can_cross_validate(run: RunRecord, dataset: Dataset) -> bool:
    """Whether the data of a run that has a model is small, and enough of each class is there."""
    return is_small(run, dataset) and not too_few_images(dataset)


def is_small(run: RunRecord, dataset: Dataset) -> bool:
    """Whether the data of a run that has a model is small, so that cross-validation would tell more than a split."""
    alone = not run.members  # the heads of an ensemble would have to be trained on several backbones
    return run.has_model and not run.active and alone and len(dataset.images) <= MOST_IMAGES


def too_few_images(dataset: Dataset) -> str | None:
    """Why these images cannot be cross-validated, in a sentence; None where they can."""
    different = {(record.pixels_sha256, record.label) for record in dataset.images}
    of_class = Counter(label for _, label in different)
    short = [
        f"{name} has {of_class[label]}" for label, name in enumerate(dataset.classes) if of_class[label] < FEWEST
    ]
    if not short:
        return None
    return f"Cross-validation needs {FEWEST} different images of each class: {', '.join(short)}. Add images first."


def expected_seconds(run: RunRecord) -> float | None:
    """About how long it takes here: every head as long as the run's own did; None where that was not measured."""
    seconds = read_metrics(run).get("seconds", {}).get(HEAD)
    return FOLDS * REPEATS * float(seconds) if seconds else None


def save_cross_validation(run: RunRecord, found: CrossValidation) -> None:
    """Keep it with the run's evaluations.

    Raises:
        WorkspaceError: the workspace cannot be written.
    """
    values = {**asdict(found), "model_sha256": run.model_sha256, "dataset_fingerprint": run.dataset_fingerprint}
    write_json(run.folder.cross_validation_file, CROSS_VALIDATION.stamped(values))


def kept_cross_validation(run: RunRecord) -> CrossValidation | None:
    """What is kept of this very model; None where nothing is, or the file is damaged."""
    try:
        values = dict(CROSS_VALIDATION.upgraded(read_json(run.folder.cross_validation_file)))
        made_from = values.pop("model_sha256"), values.pop("dataset_fingerprint")
        found = CrossValidation(**{**values, "repeats": tuple(values["repeats"])})
    except FileNotFoundError:
        return None
    except (TransferLearningError, KeyError, TypeError, ValueError) as error:
        logger.warning("What was cross-validated cannot be read: %s", error)
        return None
    return found if made_from == (run.model_sha256, run.dataset_fingerprint) else None
