"""Many pictures as a grid, each with its answer as a chip; pressing one opens it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.figures.palette import ANSWER
from tl_core.figures.probabilities import probability_text
from ui.components.pictures import Picture
from ui.components.prediction.card import refusal
from ui.components.prediction.picture_view import as_address
from ui.components.thumbnail import small_copy

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

_ASSETS: Final = Path(__file__).parent / "assets"
SIDE: Final = 192  # px, of the longer edge of a tile; about twice what is shown, for sharp screens
KEPT: Final = 400  # tiles in a browser tab's share of the memory, about 8 KB each

# Registered once, when the module is imported: a second registration would remount the grid.
_MOUNT: Final = st.components.v2.component(
    "answer_grid",
    css=(_ASSETS / "answer_grid.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "answer_grid.js").read_text(encoding="utf-8"),
)


def answer_grid(tiles: Sequence[tuple[Picture, Answer]], key: str) -> int:
    """Draw the grid; returns the place of the picture that is opened, at first 0.

    Args:
        tiles: pictures that could be used, with their answers; at least one.
        key: names the grid on its page.
    """
    chosen = f"{key}-chosen"

    def picked() -> None:
        state: Any = st.session_state[key]
        st.session_state[chosen] = state.get("picked")

    names = [picture.id for picture, _ in tiles]
    opened = st.session_state.get(chosen)
    place = names.index(opened) if opened in names else 0
    data = {
        "tiles": [_tile(picture, answer) for picture, answer in tiles],
        "opened": names[place],
        "color": ANSWER,
    }
    _MOUNT(key=key, data=data, on_picked_change=picked)
    return place


def _tile(picture: Picture, answer: Answer) -> dict[str, Any]:
    name, probability = answer.ranked[0]
    said = name if answer.answered else refusal(answer)
    return {
        "id": picture.id,
        "picture": as_address(_small(picture.id, picture.data)),
        "file": picture.name,
        "answer": said,
        "sure": probability_text(probability) if answer.answered else f"{name}?",
        "share": round(probability, 3) if answer.answered else 0,
    }


@st.cache_data(scope="session", max_entries=KEPT, show_spinner=False)
def _small(picture_id: str, _data: bytes) -> bytes:
    """The picture as small as a tile; its id stands for its bytes."""
    del picture_id  # only the cache key
    return small_copy(_data, SIDE)
