"""The block map in the browser: one row of bars, each a button that says *train from here on*.

It stands beside a slider and follows it while it is still being dragged, before Streamlit hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.figures.palette import FROZEN, FROZEN_OUTLINE, TRAINABLE, TRAINABLE_OUTLINE
from ui.components.block_map.drawing import BlockLike, describe_map, draw_map

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
    blocks: Sequence[BlockLike],
    trainable: Sequence[int],
    frozen_layers: int,
    *,
    parameters: int,
    key: str,
    slider_key: str,
    on_pick: Callable[[int], None],
) -> None:
    """Draw the map.

    Args:
        blocks: of the backbone, from the input on.
        trainable: trainable parameters with 0, 1, 2, ... frozen layers.
        frozen_layers: how many are frozen now.
        parameters: of the whole backbone.
        key: names the map on its page.
        slider_key: the key of the slider that chooses the number of frozen layers.
        on_pick: gets the number of layers to freeze when somebody presses a block.
    """

    def picked() -> None:
        layers: Any = st.session_state[key].get("picked")
        if isinstance(layers, int):
            on_pick(layers)

    data = {
        "blocks": [asdict(block) for block in draw_map(blocks)],
        "colors": _COLORS,
        "frozen": frozen_layers,
        "parameters": parameters,
        "slider": f".st-key-{slider_key} input[type=range]",
        "summary": describe_map(blocks, frozen_layers),
        "trainable": list(trainable),
    }
    _MOUNT(key=key, data=data, on_picked_change=picked)
