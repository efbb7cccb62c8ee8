"""In which range a model from a file takes its pictures: asked, with what each makes of the picture that is shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import streamlit as st

from tl_core.backbones.networks import SCALINGS
from tl_core.imported_models.store import ImportedModel, choose_scaling
from tl_core.storage.format import percent
from tl_core.storage.ownership import is_mine
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pictures import Picture
from ui.components.prediction.answers import Asked, answers_to
from ui.components.thumbnail import thumbnail
from ui.shell.errors import error_boundary

_MEANS: Final = {
    "0 to 1": "divided by 255 before",
    "-1 to 1": "divided by 127.5, less 1, before",
    "0 to 255": "given as they are",
}
_NAMED: Final = 3  # classes of each answer


def waits_for_scale(workspace: Workspace, asked: list[Asked], picture: Picture, key: str) -> bool:
    """Draw the question where nobody has answered it yet; returns whether it is still open."""
    for model in asked:
        if isinstance(model, ImportedModel) and not model.scaling:
            _question(workspace, model, picture, key)
            return True
    return False


def _question(workspace: Workspace, model: ImportedModel, picture: Picture, key: str) -> None:
    st.markdown(
        f"**Which of these answers is right?** The file of {plain(model.name)} does not say how its images "
        "were scaled when it was trained."
    )
    st.image(thumbnail(picture.id, picture.data), width=160, alt=plain(picture.name))
    mine = is_mine(workspace, model.path)
    with st.grid("auto", min_column_width=140, gap="small"):
        for label, scaling in SCALINGS.items():
            with st.container(border=True, gap="xsmall"):
                st.markdown(f"**{label}**")
                st.caption(_MEANS[label])
                (answer,) = answers_to([picture], replace(model, scaling=scaling))
                for name, probability in answer.ranked[:_NAMED]:
                    st.progress(probability, f"{plain(name)} {percent(probability)}")
                st.button(
                    "Use this one",
                    key=f"{key}-{scaling}",
                    icon=":material/check:",
                    width="stretch",
                    disabled=not mine,
                    on_click=_choose,
                    args=(workspace, model, label),
                )


def scale_in_words(workspace: Workspace, model: ImportedModel, key: str) -> None:
    """Say what was chosen, with a button that asks again."""
    if model.recognised or not model.scaling:
        return
    label = next(label for label, scaling in SCALINGS.items() if scaling == model.scaling)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Its images are scaled to {label}, as you chose.", width="content")
        if is_mine(workspace, model.path):
            st.button("Ask again", key=f"{key}-scale", type="tertiary", on_click=_choose, args=(workspace, model, ""))


@error_boundary()
def _choose(workspace: Workspace, model: ImportedModel, label: str) -> None:
    choose_scaling(workspace, model, SCALINGS[label] if label else "")
