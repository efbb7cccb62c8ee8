"""Asking a model from a file, each picture once; answers are kept in this browser tab alone."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tl_core.imported_models import ImportedModel
from ui.components.answers import KEPT, Answer, Ranked
from ui.components.pictures import Picture


def imported_model_answers(pictures: Sequence[Picture], model: ImportedModel) -> list[Answer]:
    """Ask the model about each picture.

    Raises:
        ModelFileError: its process gave no proper answer.
    """
    with st.spinner("Asking the model …", show_time=True):
        return [Answer(picture, *_ask(model, model.id, picture.id, picture.data)) for picture in pictures]


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def _ask(
    _model: ImportedModel, model_id: str, picture_id: str, _data: bytes
) -> tuple[Ranked, float, str | None, float]:
    """Plain values, so that nothing but names and numbers stays in memory; ids stand for model and picture."""
    del model_id, picture_id  # only tell one question from another
    from tl_core.imported_models.answering import answerer_of  # imports TensorFlow, so only when a question is asked
    from tl_core.inference.predict import predict_with

    (prediction,) = predict_with(answerer_of(_model), [_data])
    ranked = () if prediction.error else tuple(prediction.top(len(prediction.classes)))
    return ranked, prediction.seconds, prediction.error, prediction.threshold
