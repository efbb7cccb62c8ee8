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
_SHORTCUTS: Final = ("all", "all_but_last_block", "half", "none")


def freezing() -> None:
    """The part of the form that decides what is frozen."""
    form = draft()
    outline = form.outline
    controls, picture = st.columns(2, gap="medium")
    with controls:
        _slider(outline)
        _shortcuts(outline)
        st.caption(_consequence(outline, form.frozen_layers))
    with picture:
        block_map(
            outline.blocks,
            _trainable_by_cut(outline.name),
            form.frozen_layers,
            parameters=outline.parameters,
            key="train_block_map",
            slider_key=_SETTING.key,
            on_pick=lambda layers: draft().freeze(layers),
        )
        st.caption(_in_words(outline, form.frozen_layers))


@functools.cache
def _trainable_by_cut(backbone: str) -> tuple[int, ...]:
    """Trainable parameters of the backbone with 0, 1, 2, ... frozen layers."""
    layers = load_outline(backbone).layers
    from_the_end = accumulate((layer.trainable_parameters for layer in reversed(layers)), initial=0)
    return tuple(from_the_end)[::-1]


def _slider(outline: BackboneOutline) -> None:
    layers = len(outline.layers)
    show_in_control(_SETTING, draft().frozen_layers)
    st.slider(
        _SETTING.label,
        0,
        layers,
        key=_SETTING.key,
        help=_SETTING.help,
        format=f"%d of {layers}",
        on_change=_slid,
    )


def _slid() -> None:
    draft().freeze(st.session_state[_SETTING.key])


def _shortcuts(outline: BackboneOutline) -> None:
    places = outline.presets()
    standing = next((name for name in _SHORTCUTS if places[name] == draft().frozen_layers), None)
    with st.container(horizontal=True, gap="xsmall"):
        for name in _SHORTCUTS:
            st.button(
                _shortcut_words(outline, name),
                key=f"train_freeze_{name}",
                icon=":material/check:" if name == standing else None,
                on_click=draft().freeze,
                args=(places[name],),
            )


def _shortcut_words(outline: BackboneOutline, name: str) -> str:
    last = outline.fine_tune_blocks
    last_blocks = "the last block" if last == 1 else f"the last {last} blocks"
    words = {"all": "All", "all_but_last_block": f"All but {last_blocks}", "half": "Half", "none": "None"}
    return words[name]


def _consequence(outline: BackboneOutline, frozen: int) -> str:
    layers = len(outline.layers)
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


def _in_words(outline: BackboneOutline, frozen: int) -> str:
    text = describe_map(outline.blocks, frozen)
    norms = sum(block.batch_norms for block in outline.blocks)
    return f"{text} The {norms} BatchNorm layers stay in inference mode, also when unfrozen." if norms else text
