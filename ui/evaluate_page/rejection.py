"""*I don't know*: the rejection threshold, chosen on validation images and saved with the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import streamlit as st

from tl_core.figures.calibration import describe_risk_coverage, risk_coverage_figure
from tl_core.inference.calibration import (
    Calibration,
    RiskCoverage,
    apply_temperature,
    at_threshold,
    expected_calibration_error,
    fit_temperature,
    load_calibration,
    risk_coverage_curve,
    save_calibration,
    suggest_threshold,
)
from tl_core.inference.novelty import Novelty, load_novelty, refuses_unlike
from tl_core.runs import RunRecord
from tl_core.storage.format import count, percent
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.charts import INK, chart
from ui.evaluate_page.evaluation import evaluated
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.evaluation.evaluate import Evaluation

BY_ACCURACY, BY_THRESHOLD = "The accuracy I want", "The threshold"
FEW_IMAGES: Final = 100  # with fewer, a few lucky ones move the curve by percents
ACCEPTED: Final = {0.9: "90 %", 0.95: "95 %", 0.98: "98 %", 0.99: "99 %", 1.0: "Every picture"}
WANTED: Final = 98.0  # percent, to begin with
DIGITS: Final = 3  # of a saved temperature, which is no better known than that


@st.fragment
@error_boundary()
def rejection_section(workspace: Workspace, run: RunRecord, key: str) -> None:
    """Draw coverage against accuracy, and the buttons that save a threshold."""
    st.header("When should it say “I don't know”?", anchor=False)
    if not run.split_counts.get("validation"):
        st.info("This needs validation images, and the dataset of this run has none.")
        return
    if run.active or run.model_sha256 is None:
        st.info("This is chosen for a finished model: come back when the training has ended.")
        return
    st.markdown(
        "A model names one of its classes, even when it is unsure. Below a threshold it can "
        "say “I don't know” instead: it then answers less often, and is more often right."
    )
    _choose(workspace, evaluated(workspace, run, "validation"), run, key)
    _unlike(workspace, run, key)


def _unlike(workspace: Workspace, run: RunRecord, key: str) -> None:
    """The other threshold: how far from all training images a picture may be."""
    st.subheader("And when is a picture unlike anything it was taught?", anchor=False)
    kept = load_calibration(run.folder, run.model_sha256)
    st.segmented_control(
        "How many pictures of known things should it accept?",
        list(ACCEPTED),
        default=min(ACCEPTED, key=lambda share: abs(share - kept.accepted)),
        required=True,
        format_func=ACCEPTED.__getitem__,
        key=f"{key}-accepted",
        disabled=not is_mine(workspace, run.path),
        on_change=_keep_accepted,
        args=(workspace, run, f"{key}-accepted"),
        help="A picture farther from every training image than this share of the validation images is refused, "
        "however sure the model is. The distance is between what the network sees in them.",
    )
    st.caption(format_unlike(load_novelty(run.folder, run.model_sha256), kept.accepted))


@error_boundary()
def _keep_accepted(workspace: Workspace, run: RunRecord, control: str) -> None:
    kept = load_calibration(run.folder, run.model_sha256)
    save_calibration(workspace, run, replace(kept, accepted=st.session_state[control]))


def format_unlike(known: Novelty | None, accepted: float) -> str:
    """What that does, in a sentence or two."""
    if accepted >= 1:
        return "It answers about every picture, however unlike its images it is."
    if known is None:
        return "For this it looks at its training images once, when you show it the first picture."
    images = len(known.held_out)
    refused = int((known.held_out > known.limit(accepted)).sum())
    measured = f"It refuses {refused:,} of {count(images, 'validation image')} as unlike anything it was taught."
    if known.enough_for(accepted):
        return measured
    return f"{measured} These are too few to know {percent(accepted, 0)} by, so it refuses only what is much farther."


def effect_sentence(point: RiskCoverage, images: int) -> str:
    """Such as ``It answers 87.0 % of the images, and 98.0 % of these answers are right.``"""
    if point.threshold <= 0:
        return f"It answers however unsure it is, and {percent(point.accuracy)} of its answers are right."
    if point.coverage * images < 0.5:
        return f"With a threshold of {percent(point.threshold)} it never answers."
    return (
        f"It answers **{percent(point.coverage)}** of the images, and **{percent(point.accuracy)}** of these answers "
        f"are right. Below a probability of {percent(point.threshold)} it says “I don't know”."
    )


def _choose(workspace: Workspace, result: Evaluation, run: RunRecord, key: str) -> None:
    temperature = _temperature(result, run, key)
    probabilities = apply_temperature(result.probabilities, temperature)
    curve = risk_coverage_curve(probabilities, result.labels)
    left, right = st.columns([2, 3], gap="large")
    with left:
        point = _point(probabilities, result.labels, curve, key)
        if point is not None:
            st.markdown(effect_sentence(point, len(result.labels)))
            if point.threshold > 0:
                st.caption(f"If it always answers, {percent(curve[0].accuracy)} are right.")
            if len(result.labels) < FEW_IMAGES:
                st.caption(f"Measured on only {count(len(result.labels), 'validation image')}: a rough guide.")
            _keeping(workspace, run, temperature, point, key)
    shown = point or curve[-1]
    with right:
        chart(risk_coverage_figure(curve, shown, INK), describe_risk_coverage(curve, shown), f"{key}-coverage")


def _temperature(result: Evaluation, run: RunRecord, key: str) -> float:
    """The temperature in use: the fitted one, or 1 where the person leaves the probabilities as they are."""
    mistakes = int(result.confusion.sum() - np.trace(result.confusion))
    if not mistakes:
        st.caption(
            "The model made no mistake on the validation images, so nobody can tell whether it is too sure of "
            "itself. Its confidence stays as it is."
        )
        return 1.0
    fitted = round(_fit(run.model_sha256 or "", run.dataset_fingerprint, result.probabilities, result.labels), DIGITS)
    wanted = st.toggle(
        "Correct the confidence",
        value=True,
        key=f"{key}-calm",
        help=f"Temperature scaling: divides the scores by one number, here {fitted:.3g}, found on the validation "
        "images. Above 1 the model was surer than it should be, below 1 less sure. The answers stay the same, only "
        "their probabilities change.",
    )
    before = expected_calibration_error(result.probabilities, result.labels)
    after = expected_calibration_error(apply_temperature(result.probabilities, fitted), result.labels)
    direction = "surer than it should be" if fitted > 1 else "less sure than it should be"
    st.caption(
        f"This model is {direction} (temperature {fitted:.2f}): its confidence is {percent(before)} off on average, "
        f"and {percent(after)} when corrected."
    )
    return fitted if wanted else 1.0


@st.cache_data(max_entries=200, show_spinner=False)
def _fit(model_sha256: str, dataset_fingerprint: str, _probabilities: Any, _labels: Any) -> float:
    del model_sha256, dataset_fingerprint  # stand for the probabilities and the labels
    return fit_temperature(_probabilities, _labels)


def _point(probabilities: Any, labels: Any, curve: list[RiskCoverage], key: str) -> RiskCoverage | None:
    """The threshold in question; None where none reaches the wanted accuracy."""
    by = st.radio("Choose by", [BY_ACCURACY, BY_THRESHOLD], horizontal=True, key=f"{key}-by")
    if by == BY_THRESHOLD:
        threshold = st.slider("Answer only above", 0.0, 99.0, 50.0, 1.0, format="%.0f %%", key=f"{key}-threshold")
        return at_threshold(curve, threshold / 100)
    wanted = st.slider(
        "How many of its answers should be right?", 50.0, 100.0, WANTED, 0.5, format="%.1f %%", key=f"{key}-wanted"
    )
    found = suggest_threshold(probabilities, labels, wanted / 100)
    if found is None:
        st.warning(
            f"No threshold reaches {percent(wanted / 100)} on these images: even its surest answers are wrong now "
            "and then. Ask for less, or train a better model."
        )
    return found


def _keeping(workspace: Workspace, run: RunRecord, temperature: float, point: RiskCoverage, key: str) -> None:
    """The buttons that save the choice with the model, where the run is the person's, and what is saved."""
    if is_mine(workspace, run.path):
        model = run.model_sha256 or ""
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(
                "Keep this for the model",
                key=f"{key}-keep",
                icon=":material/check:",
                help="Used wherever this model answers. It belongs to this model alone.",
            ):
                kept = load_calibration(run.folder, model)
                chosen = replace(kept, temperature=temperature, threshold=point.threshold)
                save_calibration(workspace, run, chosen)
            if st.button("Always answer", key=f"{key}-always", help="Removes both thresholds."):
                save_calibration(workspace, run, Calibration(model_sha256=model, accepted=1))
    kept = load_calibration(run.folder, run.model_sha256)
    st.caption(format_threshold(kept, refuses_unlike(run, kept.accepted)))


def format_threshold(kept: Calibration, refuses: bool = False) -> str:
    """What is saved with the model, in a sentence; ``refuses``: whether it refuses what is unlike its images."""
    also = " It refuses what is unlike its images." if refuses else ""
    if kept.threshold:
        return (
            f"Kept with this model: “I don't know” below {percent(kept.threshold)}, "
            f"temperature {kept.temperature:.2f}.{also}"
        )
    corrected = (
        f", with corrected probabilities (temperature {kept.temperature:.2f})" if kept.temperature != 1 else ""
    )
    return f"Kept so far: it {'answers however unsure it is' if refuses else 'always answers'}{corrected}.{also}"
