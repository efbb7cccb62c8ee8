"""The block map in the browser: one row of bars, each a button that says *train from here on*."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.figures.palette import FROZEN, FROZEN_OUTLINE, TRAINABLE, TRAINABLE_OUTLINE
from ui.block_map.drawing import BlockLike, describe_map, draw_map

_HERE: Final = Path(__file__).parent

_COLORS: Final = {
    "frozen": FROZEN,
    "frozen-outline": FROZEN_OUTLINE,
    "trainable": TRAINABLE,
    "trainable-outline": TRAINABLE_OUTLINE,
}

# Registered once, when the module is imported: a second registration would remount every map on the screen.
_MOUNT: Final = st.components.v2.component(
    "block_map",
    css=(_HERE / "block_map.css").read_text(encoding="utf-8"),
    js=(_HERE / "block_map.js").read_text(encoding="utf-8"),
)


def block_map(
    blocks: Sequence[BlockLike], frozen_layers: int, *, key: str, on_pick: Callable[[int], None] | None = None
) -> None:
    """Draw the map; ``on_pick`` gets the number of layers to freeze when somebody presses a block."""

    def picked() -> None:
        layers: Any = st.session_state[key].get("picked")
        if on_pick and isinstance(layers, int):
            on_pick(layers)

    drawn = draw_map(blocks, frozen_layers)
    data = {
        "colors": _COLORS,
        "summary": describe_map(blocks, frozen_layers),
        "blocks": [
            {
                "title": block.title,
                "first": block.first,
                "layers": block.layers,
                "height": block.height,
                "frozen": block.frozen,
                "label": block.label,
            }
            for block in drawn
        ],
    }
    _MOUNT(key=key, data=data, on_picked_change=picked)
