"""More ways to measure a model, folded away: means over classes, ROC, precision-recall, calibration."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import streamlit as st

from tl_core.figures.calibration import calibration_figure, describe_calibration
from tl_core.figures.class_curves import NAMED_CLASSES, Kind, class_curves_figure, describe_class_curves
from tl_core.format import percent
from tl_core.inference.calibration import calibration_bins, expected_calibration_error
from ui.components.csv_text import to_csv
from ui.components.plotly_ink import INK
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

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
        _download(CSV_COLUMNS[kind], rows, f"{file_name}-{kind}.csv", f"{key}-{kind}-csv")

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
    rows = [(group.confidence, group.accuracy, group.count) for group in groups]
    columns = ("mean_probability", "accuracy", "answers")
    _download(columns, rows, f"{file_name}-calibration.csv", f"{key}-calibration-csv")


_VIEWS: Final[dict[str, Callable[[Evaluation, str, str], None]]] = {
    "ROC": _class_curves("roc"),
    "Precision and recall": _class_curves("precision_recall"),
    "Calibration": _calibration,
}


def _download(columns: Sequence[str], rows: Sequence[Sequence[object]], file_name: str, key: str) -> None:
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
