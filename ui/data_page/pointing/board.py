"""The question of a labelling, its pictures and the buttons of its classes; by mouse, touch and keyboard."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.data.collecting import PictureCollection
from ui.components.prediction.picture_view import as_address
from ui.components.thumbnail import dataset_thumbnail

if TYPE_CHECKING:
    from tl_core.audit.pointing.labelling import Labelling
    from tl_core.audit.pointing.standing import Standing

_ASSETS: Final = Path(__file__).parent / "assets"

# Registered once, when the module is imported: a second registration would remount the board.
_MOUNT: Final = st.components.v2.component(
    "pointing_board",
    css=(_ASSETS / "board.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "board.js").read_text(encoding="utf-8"),
)


def question_id(labelling: Labelling, standing: Standing) -> str:
    """Names a question, so that no answer is taken for one to another."""
    return f"{len(labelling.steps)} {standing.asked[0] if standing.asked else ''}"


def pressed(key: str) -> tuple[str, dict[str, Any]] | None:
    """What the browser has just sent, not trusted: ``answer``, ``skip`` or ``undo``, and its values."""
    sent: Any = st.session_state.get(key)
    for kind in ("answer", "skip", "undo"):
        if sent and isinstance(value := sent.get(kind), dict):
            return kind, value
    return None


def board(labelling: Labelling, standing: Standing, key: str) -> None:
    """Draw the question; what is pressed is read by `pressed` in the next run."""
    amounts = Counter(labelling.clicked.values())
    _MOUNT(
        key=key,
        data={
            "question": question_id(labelling, standing),
            "steps": len(labelling.steps),
            "tiles": _tiles(labelling.collection, standing.asked),
            "classes": [{"name": name, "amount": amounts[name]} for name in labelling.classes],
            "suggested": standing.suggested,
        },
        on_answer_change=lambda: None,  # names the values that the browser sends, which are read above
        on_skip_change=lambda: None,
        on_undo_change=lambda: None,
    )


def _tiles(collection: PictureCollection, asked: Sequence[str]) -> list[dict[str, Any]]:
    records = {picture.id: picture.record for picture in collection.pictures}
    return [
        {
            "id": name,
            "src": as_address(dataset_thumbnail(collection.path_of(records[name]))),
            "name": records[name].source_name,
            "tiny": max(records[name].width, records[name].height) < 64,
        }
        for name in asked
    ]
