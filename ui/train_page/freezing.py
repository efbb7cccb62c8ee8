"""How much of the backbone stays frozen: a slider, four buttons, and the map of the backbone beside it."""

from __future__ import annotations

import functools
from itertools import accumulate
from typing import Final

import streamlit as st

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.config import SETTINGS
from ui.state.training_draft import draft, show_in_control
from ui.train_page.block_map import block_map, describe_map

_SETTING: Final = SETTINGS["frozen_layers"]


def freezing() -> None:
    """The part of the form that decides what is frozen."""
    form = draft()
    outline, frozen = form.outline, form.frozen_layers
    layers = len(outline.layers)
    controls, picture = st.columns(2, gap="medium")
    with controls:
        show_in_control(_SETTING, frozen)
        st.slider(
            _SETTING.label,
            0,
            layers,
            key=_SETTING.key,
            help=_SETTING.help,
            format=f"%d of {layers}",
            on_change=lambda: form.freeze(st.session_state[_SETTING.key]),
        )
        _shortcuts(outline)
        st.caption(_consequence(layers, frozen))
    with picture:
        block_map(
            outline,
            _trainable_by_cut(outline.name),
            frozen,
            key="train_block_map",
            slider_key=_SETTING.key,
            on_pick=form.freeze,
        )
        norms = sum(block.batch_norms for block in outline.blocks)
        stay = f" The {norms} BatchNorm layers stay in inference mode, also when unfrozen." if norms else ""
        st.caption(describe_map(outline.blocks, frozen) + stay)


@functools.cache
def _trainable_by_cut(backbone: str) -> tuple[int, ...]:
    """Trainable parameters of the backbone with 0, 1, 2, ... frozen layers."""
    layers = load_outline(backbone).layers
    from_the_end = accumulate((layer.trainable_parameters for layer in reversed(layers)), initial=0)
    return tuple(from_the_end)[::-1]


def _shortcuts(outline: BackboneOutline) -> None:
    form, places = draft(), outline.presets()
    last = outline.fine_tune_blocks
    last_blocks = "the last block" if last == 1 else f"the last {last} blocks"
    words = {"all": "All", "all_but_last_block": f"All but {last_blocks}", "half": "Half", "none": "None"}
    chosen = next((name for name in words if places[name] == form.frozen_layers), None)
    with st.container(horizontal=True, gap="xsmall"):
        for name, label in words.items():
            st.button(
                label,
                key=f"train_freeze_{name}",
                icon=":material/check:" if name == chosen else None,
                on_click=form.freeze,
                args=(places[name],),
            )


def _consequence(layers: int, frozen: int) -> str:
    if frozen == layers:
        return (
            "Feature extraction: the backbone stays as it is and only the new head learns. Fast, safe, and the "
            "right start, above all with little data."
        )
    advice = (
        "Early layers hold generic features (edges, colours, textures), late layers specific ones, so fine-tuning "
        "starts from the end."
    )
    if frozen == 0:
        return "Everything is open for fine-tuning: that wants much data and a small rate. " + advice
    return f"The last {layers - frozen} of {layers} layers are open for fine-tuning. " + advice
