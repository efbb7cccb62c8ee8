"""The parts of a report in order: how good, where it is wrong, how far to trust it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tl_core.data import Dataset
from tl_core.evaluation.cross_validated import kept_cross_validation
from tl_core.evaluation.ranking import losses, worst_mistakes
from tl_core.evaluation.report.blocks import Block, Figure, Heading, Paragraph, Table
from tl_core.evaluation.report.measures import Measures
from tl_core.figures.calibration import (
    calibration_figure,
    describe_calibration,
    describe_risk_coverage,
    risk_coverage_figure,
)
from tl_core.figures.class_curves import WORDS, Kind, class_curves_figure, describe_class_curves
from tl_core.figures.confusion import confusion_figure, describe_confusion, mix_ups
from tl_core.runs import RunRecord
from tl_core.storage.format import MISSING, percent

MOST_MISTAKES: Final = 20  # of the worst, named one by one
MOST_MIX_UPS: Final = 10
SPLIT_WORDS: Final = {"train": "training", "all": "chosen"}
WHICH: Final = {
    "test": "The model met these images for the first time, so this is what to expect of it.",
    "validation": "The best epoch was chosen by these images, so the true accuracy is a little lower.",
    "train": "The model has learned from these images, so the true accuracy is lower.",
}
READING: Final[dict[Kind, str]] = {
    "roc": "Each line is one class against all others; the closer to the top left corner, the better. The area (AUC) "
    "is 1 where the class is told apart perfectly and 0.5 for guessing.",
    "precision_recall": "The more images of a class are found (to the right), the more false ones come along (down). "
    "The number is the average precision.",
}


def all_parts(run: RunRecord, dataset: Dataset, measures: Measures) -> Iterator[Block]:
    """The whole report from top to bottom."""
    yield from _result(run, dataset, measures)
    yield from _mix_ups(measures)
    yield from _classes(measures)
    yield from _curves(measures)
    yield from _calibration(measures)
    yield from _threshold(measures)
    yield from _mistakes(measures)
    yield from _origin(run)


def _result(run: RunRecord, dataset: Dataset, measures: Measures) -> Iterator[Block]:
    found = measures.evaluation
    low, high = measures.accuracy_range
    split = SPLIT_WORDS.get(found.split, found.split)
    commonest = float(found.confusion.sum(axis=1).max() / measures.images)
    own, checked = dataset.fingerprint == run.dataset_fingerprint, kept_cross_validation(run)
    met = WHICH.get(found.split, "") if own else ""
    yield Paragraph(
        f"Of {measures.images:,} {split} images of “{dataset.name}” the model gets {measures.right:,} right: "
        f"{percent(found.accuracy)}. {met}".rstrip()
    )
    rows = [
        ("Accuracy", percent(found.accuracy), "share of right answers"),
        ("Its likely range", f"{100 * low:.1f}–{percent(high)}", "with 95 % confidence (Wilson interval)"),
        *([("Cross-validated", checked.text, checked.meaning)] if own and checked else []),
        *(
            (f"Top {k}", percent(share), f"the class is among the first {k} answers")
            for k, share in found.top_k.items()
            if k > 1
        ),
        ("Balanced accuracy", percent(found.balanced_accuracy), "mean recall: rare classes count as much"),
        ("Macro F1", percent(found.macro_f1), "mean F1 of all classes"),
        ("Calibration error (ECE)", percent(measures.calibration_error), "how far probabilities are off on average"),
        ("Guessing would reach", percent(commonest), "what always naming the commonest class would get"),
    ]
    yield Table(("measure", "value", "meaning"), rows)


def _mix_ups(measures: Measures) -> Iterator[Block]:
    found = measures.evaluation
    yield Heading("What is mixed up with what")
    yield Figure(confusion_figure(found.confusion, found.classes), describe_confusion(found.confusion, found.classes))
    worst = mix_ups(found.confusion, found.classes, MOST_MIX_UPS)
    if not worst:
        yield Paragraph("Every image got its right class.")
        return
    rows = [(mixed.true, mixed.predicted, f"{mixed.count:,} of {mixed.images:,}") for mixed in worst]
    yield Table(("it really is", "the model said", "images"), rows)


def _classes(measures: Measures) -> Iterator[Block]:
    areas = {
        kind: {curve.name: f"{curve.area:.3f}" for curve in curves} for kind, (curves, _) in measures.curves.items()
    }
    yield Heading("Class by class, the weakest first")
    ordered = sorted(measures.evaluation.per_class, key=lambda row: (row.support == 0, row.f1 or 0.0))
    yield Table(
        ("class", "precision", "recall", "F1", *(WORDS[kind].area for kind in areas), "images"),
        [
            (
                row.name,
                *map(percent, (row.precision, row.recall, row.f1)),
                *(of_kind.get(row.name, MISSING) for of_kind in areas.values()),
                f"{row.support:,}",
            )
            for row in ordered
        ],
    )


def _curves(measures: Measures) -> Iterator[Block]:
    if not measures.curves:
        yield Paragraph("ROC and precision-recall curves need images of at least two classes; these are of one.")
    for kind, (curves, mean) in measures.curves.items():
        yield Heading(WORDS[kind].title)
        yield Paragraph(READING[kind])
        yield Figure(class_curves_figure(curves, mean, kind), describe_class_curves(curves, mean, kind))


def _calibration(measures: Measures) -> Iterator[Block]:
    yield Heading("Calibration")
    yield Paragraph(
        "Answers are grouped by how sure the model says it is. On the dotted line it is as often right as it says."
    )
    groups, error = measures.calibration, measures.calibration_error
    yield Figure(calibration_figure(groups, error), describe_calibration(groups, error))
    yield Table(
        ("said, on average", "right", "answers"),
        [(percent(group.confidence), percent(group.accuracy), f"{group.answers:,}") for group in groups],
    )


def _threshold(measures: Measures) -> Iterator[Block]:
    kept, point = measures.confidence, measures.answered
    yield Heading("When it says “I don't know”")
    if kept.temperature != 1:
        yield Paragraph(
            f"Kept with the model is a temperature of {kept.temperature:.3g}; with it the calibration error is "
            f"{percent(measures.corrected_error)} instead of {percent(measures.calibration_error)}."
        )
    if kept.threshold:
        yield Paragraph(
            f"Kept with the model is a threshold of {percent(kept.threshold)}: it answers "
            f"{percent(point.coverage)} of these images, and {percent(point.accuracy)} of these answers are right."
        )
    else:
        yield Paragraph("No threshold is kept with the model: it answers however unsure it is.")
    if kept.accepted < 1:
        yield Paragraph(
            f"Pictures unlike its images are refused besides, so that {percent(kept.accepted, 0)} of those of known "
            "things are taken; the figures of this report count every image."
        )
    yield Figure(risk_coverage_figure(measures.coverage, point), describe_risk_coverage(measures.coverage, point))


def _mistakes(measures: Measures) -> Iterator[Block]:
    found = measures.evaluation
    worst = worst_mistakes(found.probabilities, found.labels)[:MOST_MISTAKES].tolist()
    if not worst:
        return
    loss, answers = losses(found.probabilities, found.labels), found.probabilities.argmax(axis=1)
    yield Heading("The worst mistakes")
    rows = [
        (
            found.records[row].source_name,
            found.classes[found.labels[row]],
            found.classes[answers[row]],
            percent(float(found.probabilities[row, answers[row]])),
            f"{loss[row]:.2f}",
        )
        for row in worst
    ]
    yield Table(("file", "it really is", "the model said", "probability", "loss"), rows)


def _origin(run: RunRecord) -> Iterator[Block]:
    yield Heading("Where this comes from")
    rows = [
        ("run", run.id),
        ("dataset of the training", run.dataset_name),
        ("backbone", " + ".join(config.backbone for config in (run.config, *run.members))),
        ("trained", (run.finished or run.created)[:10]),
    ]
    if run.best:
        rows.append(("model", f"of epoch {run.best.epoch}, which has the lowest validation loss"))
    if run.model_sha256:
        rows.append(("SHA-256 of the model", run.model_sha256))
    yield Table(("what", "which"), rows)
