"""How good a model is: in a sentence and a few figures, class by class, and by further measures folded away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import streamlit as st

from tl_core.evaluation.cross_validated import CrossValidation
from tl_core.figures.calibration import calibration_figure, describe_calibration
from tl_core.figures.class_curves import NAMED_CLASSES, Kind, class_curves_figure, describe_class_curves
from tl_core.figures.palette import RIGHT
from tl_core.inference.calibration import calibration_bins, expected_calibration_error, wilson_interval
from tl_core.storage.format import MISSING, count, percent
from ui.components.charts import INK, chart
from ui.components.downloads import download, to_csv
from ui.components.markdown import plain
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import ClassReport, Evaluation

HONESTY: Final = {
    "test": "The model met these images for the first time, so this is what to expect of it.",
    "validation": "The best epoch was chosen by these images, so the true accuracy is a little lower. "
    "The test images give the honest figure.",
}
COLUMNS: Final = ("class", "precision", "recall", "f1", "images")
SHARES: Final = ("precision", "recall", "f1")
PERCENT: Final = "%.1f %%"
ROW_HEIGHT: Final = 35  # px
MAX_HEIGHT: Final = 560  # px; more classes scroll inside the table
KINDS: Final[dict[str, Kind]] = {"ROC": "roc", "Precision and recall": "precision_recall"}
READING: Final[dict[Kind, str]] = {
    "roc": "Each line is one class against all others. The closer it comes to the top left corner, the better the "
    "model tells the class apart; the dotted diagonal is guessing. AUC is the area under the line: 1 is perfect, 0.5 "
    "is guessing.",
    "precision_recall": "Each line is one class: the more of its images should be found (to the right), the more "
    "false ones come along (down). A line along the top is perfect. The number is the "
    "average precision; look here where classes have few images.",
}
CSV_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    "roc": ("class", "false_positive_rate", "true_positive_rate", "auc"),
    "precision_recall": ("class", "recall", "precision", "average_precision"),
}


def evaluation_summary(
    confusion: np.ndarray,
    classes: Sequence[str],
    top_k: Mapping[int, float],
    split: str,
    cross_validated: CrossValidation | None = None,
) -> None:
    """Draw the result in one sentence, and the figures behind it.

    Args:
        confusion: ``(k, k)`` integers; row = true class, column = predicted class.
        classes: the ``k`` class names.
        top_k: share of images with the right class among the first ``k`` answers, by ``k``.
        split: test or validation.
        cross_validated: of the run, where it was.
    """
    right, images = int(np.trace(confusion)), int(confusion.sum())
    st.markdown(f"**{result_sentence(right, images, split)}** {HONESTY[split]}")
    per_class = confusion.sum(axis=1)
    low, high = wilson_interval(right, images)
    # With more than a third of the classes, nearly every answer is right.
    k = max((k for k in top_k if 1 < k <= len(classes) / 3), default=None)
    recall = np.where(per_class > 0, np.diagonal(confusion) / np.maximum(1, per_class), np.inf)
    weakest, commonest = int(recall.argmin()), int(per_class.argmax())
    _figures(
        4,
        (
            "Accuracy",
            right / images,
            f"Share of right answers. For more images like these expect {percent(low, 0)} to {percent(high, 0)} "
            "(95 % confidence).",
        ),
        *([("Cross-validated", cross_validated.text, cross_validated.meaning)] if cross_validated else []),
        *([(f"Top {k}", top_k[k], f"The right class is among the first {k} answers.")] if k else []),
        (
            "Weakest class",
            float(recall[weakest]),
            f"The share of **{plain(classes[weakest])}** that is found, the lowest of all classes."
            if np.ptp(recall[per_class > 0]) > 0
            else "All classes are found equally well.",
        ),
        (
            "Guessing",
            float(per_class[commonest] / images),
            f"If it always said **{plain(classes[commonest])}**.",
        ),
    )


def _figures(columns: int, *figures: tuple[str, float | str, str]) -> None:
    """Figures beside each other: name, value as a share of 0-1 or as text, and what it means as Markdown."""
    with st.grid(columns, min_column_width=160, gap="medium"):
        for label, share, meaning in figures:
            with st.container(gap="xsmall"):
                st.metric(label, share if isinstance(share, str) else percent(share))
                st.caption(meaning)


def result_sentence(right: int, images: int, split: str) -> str:
    """Such as ``Of 270 test images the model gets 262 right: 97.0 %.``"""
    return f"Of {count(images, f'{split} image')} the model gets {right:,} right: {percent(right / max(1, images))}."


def class_table(scores: Sequence[ClassReport], key: str, file_name: str) -> None:
    """Draw the scores of the classes, and a button that downloads them as CSV."""
    weakest_first = sorted(scores, key=lambda one: (one.support == 0, one.f1 or 0.0))
    rows = [(one.name, one.precision, one.recall, one.f1, one.support) for one in weakest_first]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table[list(SHARES)] = table[list(SHARES)].astype(float) * 100
    column = st.column_config
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "class": column.TextColumn("Class"),
            "precision": column.NumberColumn(
                "Precision", format=PERCENT, help="When the model answers this class, how often that is true."
            ),
            "recall": column.NumberColumn(
                "Recall", format=PERCENT, help="Of the images of this class, how many the model finds."
            ),
            "f1": column.ProgressColumn(
                "F1",
                format=PERCENT,
                min_value=0,
                max_value=100,
                color=RIGHT,
                help="Precision and recall in one figure (their harmonic mean): high only if both are.",
            ),
            "images": column.NumberColumn("Images", help="Images of this class that were asked (support)."),
        },
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(rows) + 1) + 3),
        row_height=ROW_HEIGHT,
        placeholder=MISSING,
        key=f"{key}-table",
        alt="Precision, recall, F1 and number of images of each class, the weakest first",
    )
    download(
        "Download the table",
        to_csv(COLUMNS, rows),
        file_name,
        key=f"{key}-csv",
        help="As CSV, for a spreadsheet.",
    )


@st.fragment
@error_boundary()
def more_measures(result: Evaluation, key: str, file_name: str) -> None:
    """Draw the folded section; nothing of it is computed before somebody opens it."""
    folded = st.expander(
        "More measures: balanced accuracy, ROC, precision-recall, calibration",
        icon=":material/query_stats:",
        key=f"{key}-measures",
        on_change="rerun",
    )
    if not folded.open:
        return
    error = expected_calibration_error(result.probabilities, result.labels)
    with folded:
        _figures(
            3,
            (
                "Balanced accuracy",
                result.balanced_accuracy,
                "Mean recall of all classes: a rare class counts as much as a frequent one.",
            ),
            ("Macro F1", result.macro_f1, "Mean F1 of all classes: high only if both precision and recall are."),
            (
                "Calibration error",
                error,
                "How far probabilities lie from the share of right answers, on average. 0 % is honest.",
            ),
        )
        chosen = st.radio("Curves", [*KINDS, "Calibration"], horizontal=True, key=f"{key}-curves")
        if chosen in KINDS:
            _class_curves(result, KINDS[chosen], key, file_name)
        else:
            _calibration(result, error, key, file_name)


def _class_curves(result: Evaluation, kind: Kind, key: str, file_name: str) -> None:
    from tl_core.evaluation.class_curves import class_curves  # scikit-learn

    curves, mean = class_curves(result.probabilities, result.labels, result.classes, kind)
    many = len(curves) > NAMED_CLASSES
    st.caption(READING[kind] + (f" The weakest {NAMED_CLASSES} have a colour, the others are grey." if many else ""))
    chart(class_curves_figure(curves, mean, kind, INK), describe_class_curves(curves, mean, kind), f"{key}-{kind}")
    rows = [
        (curve.name, round(float(x), 6), round(float(y), 6), round(curve.area, 6))
        for curve in curves
        for x, y in zip(curve.x, curve.y, strict=True)
    ]
    _download_figures(CSV_COLUMNS[kind], rows, f"{file_name}-{kind}.csv", f"{key}-{kind}-csv")


def _calibration(result: Evaluation, error: float, key: str, file_name: str) -> None:
    groups = calibration_bins(result.probabilities, result.labels)
    st.caption(
        "Answers are grouped by how sure the model says it is; large marks stand for many answers. On the dotted "
        "line it is right as often as it says. Below it, it is surer than it should be; above it, less sure."
    )
    chart(calibration_figure(groups, error, INK), describe_calibration(groups, error), f"{key}-calibration")
    columns = ("mean_probability", "accuracy", "answers")
    _download_figures(columns, groups, f"{file_name}-calibration.csv", f"{key}-calibration-csv")


def _download_figures(columns: Sequence[str], rows: Sequence[Sequence[object]], file_name: str, key: str) -> None:
    words = "As CSV, for a spreadsheet. The camera above the chart saves it as a picture."
    download("Download the figures", to_csv(columns, rows), file_name, key=key, help=words)
