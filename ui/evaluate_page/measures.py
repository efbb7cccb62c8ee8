"""How good a model is: in a sentence and a few figures, class by class, and by further measures folded away."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import pandas as pd
import streamlit as st

from tl_core.figures.calibration import calibration_figure, describe_calibration
from tl_core.figures.class_curves import NAMED_CLASSES, Kind, class_curves_figure, describe_class_curves
from tl_core.figures.palette import RIGHT
from tl_core.inference.calibration import calibration_bins, expected_calibration_error, wilson_interval
from tl_core.storage.format import MISSING, count, percent
from ui.components.charts import INK
from ui.components.downloads import to_csv
from ui.components.markdown import plain
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

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
WITHOUT_LOGO: Final = {"displaylogo": False}
READING: Final[dict[Kind, str]] = {
    "roc": "Each line is one class against all others. The closer it comes to the top left corner, the better the "
    "model tells the class apart; the dotted diagonal is guessing. AUC is the area under the line: 1 is perfect, 0.5 "
    "is guessing.",
    "precision_recall": "Each line is one class: the more of its images shall be found (to the right), the more "
    "false ones come along (down). A line along the top is perfect. The number is the "
    "average precision; look here where classes have few images.",
}
CSV_COLUMNS: Final[dict[Kind, tuple[str, ...]]] = {
    "roc": ("class", "false_positive_rate", "true_positive_rate", "auc"),
    "precision_recall": ("class", "recall", "precision", "average_precision"),
}


def evaluation_summary(confusion: np.ndarray, classes: Sequence[str], top_k: Mapping[int, float], split: str) -> None:
    """Draw the result in one sentence, and the figures behind it.

    Args:
        confusion: ``(k, k)`` integers; row = true class, column = predicted class.
        classes: the ``k`` class names.
        top_k: share of images with the right class among the first ``k`` answers, by ``k``.
        split: test or validation.
    """
    right, images = int(np.trace(confusion)), int(confusion.sum())
    st.markdown(f"**{result_sentence(right, images, split)}** {HONESTY[split]}")
    with st.grid(4, min_column_width=160, gap="medium"):
        for label, value, meaning in _figures(confusion, classes, top_k):
            with st.container(gap="xsmall"):
                st.metric(label, value)
                st.caption(meaning)


def result_sentence(right: int, images: int, split: str) -> str:
    """Such as ``Of 270 test images the model gets 262 right: 97.0 %.``"""
    return f"Of {count(images, f'{split} image')} the model gets {right:,} right: {percent(right / max(1, images))}."


def _figures(confusion: np.ndarray, classes: Sequence[str], top_k: Mapping[int, float]) -> list[tuple[str, str, str]]:
    right, per_class = int(np.trace(confusion)), confusion.sum(axis=1)
    images = int(per_class.sum())
    low, high = wilson_interval(right, images)
    figures = [
        (
            "Accuracy",
            percent(right / images),
            f"Share of right answers. For more images like these expect {low:.0%} to {high:.0%} (95 % confidence).",
        )
    ]
    if k := _k_worth_showing(top_k, len(classes)):
        figures.append((f"Top {k}", percent(top_k[k]), f"The right class is among the first {k} answers."))
    weakest = _weakest(confusion)
    recall = confusion[weakest, weakest] / per_class[weakest]
    figures.append(
        (
            "Weakest class",
            percent(float(recall)),
            f"The share of **{plain(classes[weakest])}** that is found, the lowest of all classes.",
        )
    )
    commonest = int(per_class.argmax())
    figures.append(
        (
            "By guessing",
            percent(float(per_class[commonest] / images)),
            f"What always answering **{plain(classes[commonest])}** would get.",
        )
    )
    return figures


def _k_worth_showing(top_k: Mapping[int, float], classes: int) -> int | None:
    """The largest ``k`` that is no more than a third of the classes: with more, nearly every answer is right."""
    return max((k for k in top_k if 1 < k <= classes / 3), default=None)


def _weakest(confusion: np.ndarray) -> int:
    """The class of which the smallest share is found, among those that have images."""
    totals = confusion.sum(axis=1)
    recall = np.where(totals > 0, np.diagonal(confusion) / np.maximum(1, totals), np.inf)
    return int(recall.argmin())


class ClassScores(Protocol):
    """What the table shows of one class; shares are 0-1, None where nothing can be said."""

    @property
    def name(self) -> str: ...
    @property
    def precision(self) -> float | None: ...
    @property
    def recall(self) -> float | None: ...
    @property
    def f1(self) -> float | None: ...
    @property
    def support(self) -> int: ...


def class_table(scores: Sequence[ClassScores], key: str, file_name: str) -> None:
    """Draw the scores, and a button that downloads them as CSV.

    Args:
        scores: one per class.
        key: prefix of the controls' keys.
        file_name: of the download.
    """
    rows = [(one.name, one.precision, one.recall, one.f1, one.support) for one in sorted(scores, key=_weakness)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table[list(SHARES)] = table[list(SHARES)].astype(float) * 100
    st.dataframe(
        table,
        hide_index=True,
        column_config=_columns(),
        height=min(MAX_HEIGHT, ROW_HEIGHT * (len(rows) + 1) + 3),
        row_height=ROW_HEIGHT,
        placeholder=MISSING,
        key=f"{key}-table",
        alt="Precision, recall, F1 and number of images of each class, the weakest first",
    )
    st.download_button(
        "Download the table",
        lambda: to_csv(COLUMNS, rows),
        file_name,
        "text/csv",
        key=f"{key}-csv",
        icon=":material/download:",
        on_click="ignore",
        help="As CSV, for a spreadsheet.",
    )


def _weakness(scores: ClassScores) -> tuple[bool, float]:
    return scores.support == 0, scores.f1 or 0.0


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
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
    }


@st.fragment
def more_measures(result: Evaluation, key: str, file_name: str) -> None:
    """Draw the folded section; nothing of it is computed before somebody opens it.

    Args:
        result: the evaluation.
        key: prefix of the controls' keys.
        file_name: beginning of the names of downloads.
    """
    with error_boundary():
        folded = st.expander(
            "More measures: balanced accuracy, ROC, precision-recall, calibration",
            icon=":material/query_stats:",
            key=f"{key}-measures",
            on_change="rerun",
        )
        if folded.open:
            with folded:
                _means(result)
                titles = list(_VIEWS)
                chosen = st.radio("Curves", titles, horizontal=True, key=f"{key}-curves")
                _VIEWS[chosen](result, key, file_name)


def _means(result: Evaluation) -> None:
    figures = (
        (
            "Balanced accuracy",
            result.balanced_accuracy,
            "Mean recall of all classes: a rare class counts as much as a frequent one.",
        ),
        ("Macro F1", result.macro_f1, "Mean F1 of all classes: high only if both precision and recall are."),
        (
            "Calibration error",
            expected_calibration_error(result.probabilities, result.labels),
            "How far probabilities lie from the share of right answers, on average. 0 % is honest.",
        ),
    )
    with st.grid(3, min_column_width=160, gap="medium"):
        for label, value, meaning in figures:
            with st.container(gap="xsmall"):
                st.metric(label, percent(value))
                st.caption(meaning)


def _class_curves(kind: Kind) -> Callable[[Evaluation, str, str], None]:
    def draw(result: Evaluation, key: str, file_name: str) -> None:
        from tl_core.evaluation.class_curves import class_curves  # scikit-learn

        curves, mean = class_curves(result.probabilities, result.labels, result.classes, kind)
        others = (
            f" The weakest {NAMED_CLASSES} have a colour, the others are grey." if len(curves) > NAMED_CLASSES else ""
        )
        st.caption(READING[kind] + others)
        st.plotly_chart(
            class_curves_figure(curves, mean, kind, INK),
            key=f"{key}-{kind}",
            config=WITHOUT_LOGO,
            alt=describe_class_curves(curves, mean, kind),
        )
        rows = [
            (curve.name, round(float(x), 6), round(float(y), 6), round(curve.area, 6))
            for curve in curves
            for x, y in zip(curve.x, curve.y, strict=True)
        ]
        _figures_download(CSV_COLUMNS[kind], rows, f"{file_name}-{kind}.csv", f"{key}-{kind}-csv")

    return draw


def _calibration(result: Evaluation, key: str, file_name: str) -> None:
    groups = calibration_bins(result.probabilities, result.labels)
    error = expected_calibration_error(result.probabilities, result.labels)
    st.caption(
        "Answers are grouped by how sure the model says it is; large marks stand for many answers. On the dotted "
        "line it is as often right as it says. Below it, it boasts; above it, it is too modest."
    )
    st.plotly_chart(
        calibration_figure(groups, error, INK),
        key=f"{key}-calibration",
        config=WITHOUT_LOGO,
        alt=describe_calibration(groups, error),
    )
    rows = [(group.confidence, group.accuracy, group.answers) for group in groups]
    columns = ("mean_probability", "accuracy", "answers")
    _figures_download(columns, rows, f"{file_name}-calibration.csv", f"{key}-calibration-csv")


_VIEWS: Final[dict[str, Callable[[Evaluation, str, str], None]]] = {
    "ROC": _class_curves("roc"),
    "Precision and recall": _class_curves("precision_recall"),
    "Calibration": _calibration,
}


def _figures_download(columns: Sequence[str], rows: Sequence[Sequence[object]], file_name: str, key: str) -> None:
    st.download_button(
        "Download the figures",
        lambda: to_csv(columns, rows),
        file_name,
        "text/csv",
        key=key,
        icon=":material/download:",
        on_click="ignore",
        help="As CSV, for a spreadsheet. The camera above the chart saves it as a picture.",
    )
