"""How good a model is, in a sentence and a few figures, each with what it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import streamlit as st

from tl_core.format import count, percent
from tl_core.inference.calibration import wilson_interval
from ui.components.markdown import plain

SPLIT_WORDS: Final = {"test": "test", "validation": "validation"}
HONESTY: Final = {
    "test": "The model met these images for the first time, so this is what to expect of it.",
    "validation": "The best epoch was chosen by these images, so the true accuracy is a little lower. "
    "The test images give the honest figure.",
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
