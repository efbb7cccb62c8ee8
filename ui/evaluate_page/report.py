"""The whole evaluation as one file to keep, to send or to hand in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from tl_core.data import Dataset
from tl_core.inference.calibration import load_calibration
from tl_core.runs import RunRecord

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation


def report_download(run: RunRecord, dataset: Dataset, result: Evaluation, key: str) -> None:
    """Draw the button; the report is written when somebody presses it.

    Args:
        run: whose model was measured.
        dataset: that it was measured on.
        result: what was measured.
        key: of the button.
    """
    st.download_button(
        "Download report",
        lambda: _report(run, dataset, result),
        f"{run.id}-{result.split}.html",
        "text/html",
        key=key,
        icon=":material/lab_profile:",
        on_click="ignore",
        help="All measures and charts of this page in one file (HTML) that any browser opens, also offline.",
    )


def _report(run: RunRecord, dataset: Dataset, result: Evaluation) -> bytes:
    from tl_core.evaluation.report import take_measures, write_report  # scikit-learn

    measures = take_measures(result, load_calibration(run.folder, run.model_sha256))
    return write_report(run, dataset, measures)
