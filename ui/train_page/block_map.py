"""The block map: the backbone from stem to last block as a row of bars, showing what stays frozen.

Each bar is a button that says *train from here on*. The map stands beside a slider and follows it while it is still
being dragged, before Streamlit hears of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import streamlit as st

from tl_core.backbones.outline import BackboneOutline, BlockOutline
from tl_core.figures.palette import FROZEN, FROZEN_OUTLINE, TRAINABLE, TRAINABLE_OUTLINE
from tl_core.storage.format import count, short_count

_ASSETS: Final = Path(__file__).parent / "assets"
_COLORS: Final = {
    "frozen": FROZEN,
    "frozen-outline": FROZEN_OUTLINE,
    "trainable": TRAINABLE,
    "trainable-outline": TRAINABLE_OUTLINE,
}

# Registered once, when the module is imported: a second registration would remount every map on the screen.
_MOUNT: Final = st.components.v2.component(
    "block_map",
    css=(_ASSETS / "block_map.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "block_map.js").read_text(encoding="utf-8"),
)
# The smallest block stays visible beside one with a thousand times its parameters.
_LOWEST_BAR: Final = 0.16


def block_map(
    outline: BackboneOutline,
    trainable: Sequence[int],
    frozen_layers: int,
    *,
    key: str,
    slider_key: str,
    on_pick: Callable[[int], None],
    head: tuple[int, int] = (0, 0),
) -> None:
    """Draw the map.

    Args:
        outline: of the backbone.
        trainable: trainable parameters with 0, 1, 2, ... frozen layers.
        frozen_layers: how many are frozen now.
        key: names the map on its page.
        slider_key: the key of the slider that chooses the number of frozen layers.
        on_pick: gets the number of layers to freeze when somebody presses a block.
        head: trainable and other parameters of the head, so that the numbers are those of the whole model.
    """

    def picked() -> None:
        layers: Any = st.session_state[key].get("picked")
        if isinstance(layers, int):
            on_pick(layers)

    data = {
        "blocks": draw_map(outline.blocks),
        "colors": _COLORS,
        "frozen": frozen_layers,
        "parameters": outline.parameters + sum(head),
        "slider": f".st-key-{slider_key} input[type=range]",
        "summary": describe_map(outline.blocks, frozen_layers),
        "trainable": [amount + head[0] for amount in trainable],
    }
    _MOUNT(key=key, data=data, on_picked_change=picked)


def draw_map(blocks: Sequence[BlockOutline]) -> list[dict[str, Any]]:
    """The blocks as drawn; what is frozen of them is painted in the browser, while the slider moves.

    Each has its ``title``, ``first`` (layers before it: freezing so many makes it the first trainable block), ``end``
    (layers up to its end), the ``height`` of its bar (0-1, by the square root of its parameters) and a ``text``.
    """
    most = max((block.parameters for block in blocks), default=0) or 1
    return [
        {
            "title": block.title,
            "first": block.first,
            "end": block.end,
            "height": round(_LOWEST_BAR + (1 - _LOWEST_BAR) * math.sqrt(block.parameters / most), 3),
            "text": f"{count(block.end - block.first, 'layer')}, "
            + (f"{short_count(block.parameters)} parameters" if block.parameters else "no parameters"),
        }
        for block in blocks
    ]


def describe_map(blocks: Sequence[BlockOutline], frozen_layers: int) -> str:
    """The picture in a sentence, also for screen readers."""
    frozen = [block for block in blocks if block.end <= frozen_layers]
    trainable = [block for block in blocks if block.first >= frozen_layers]
    partly = blocks[len(frozen) : len(blocks) - len(trainable)]
    if len(frozen) == len(blocks):
        return f"All blocks, {_span(blocks)}, are frozen; only the head learns."
    if len(trainable) == len(blocks):
        return f"No block is frozen: {_span(blocks)} and the head all learn."
    parts = [f"frozen: {_span(frozen)}"] if frozen else []
    if partly:
        parts.append(f"partly frozen: {_span(partly)}")
    parts.append(f"trainable: {_span(trainable)} and the head" if trainable else "trainable: the rest and the head")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _span(blocks: Sequence[BlockOutline]) -> str:
    return blocks[0].title if len(blocks) == 1 else f"{blocks[0].title} to {blocks[-1].title}"
