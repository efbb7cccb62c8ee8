"""How much of the backbone stays frozen: a slider, four buttons, and the map of the backbone beside it."""

from __future__ import annotations

import functools
from itertools import accumulate
from typing import Final

import streamlit as st

from tl_core.backbones.outline import BackboneOutline, load_outline
from tl_core.config import SETTINGS
from tl_core.data import Dataset
from tl_core.errors import ConfigError
from tl_core.planning.plan import head_parameters
from tl_core.storage.format import count
from ui.state.training_draft import draft, show_in_control
from ui.train_page.advice import SUGGESTED_FINE_TUNE_EPOCHS
from ui.train_page.block_map import block_map, describe_map
from ui.train_page.layers.pictures import layer_pictures
from ui.train_page.layers.probes import probe_chart

_SETTING: Final = SETTINGS["frozen_layers"]


def freezing(dataset: Dataset) -> None:
    """The part of the form that decides what is frozen; unfreezing layers adds the phase that trains them."""
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
            on_change=lambda: freeze(st.session_state[_SETTING.key]),
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
            on_pick=freeze,
            head=_head_parameters(dataset),
        )
        norms = sum(block.batch_norms for block in outline.blocks)
        stay = f"The {norms} BatchNorm layers stay in inference mode, also when unfrozen." if norms else None
        st.caption(describe_map(outline.blocks, frozen), help=stay)
        probe_chart(dataset, frozen)
    layer_pictures(dataset)


def freeze(layers: int) -> None:
    """Freeze so many layers; phase 2 gets epochs where there is something to fine-tune, else none."""
    form = draft()
    form.freeze(layers)
    if form.values["frozen_layers"] is None:
        form.update({"fine_tune_epochs": 0})
    elif not form.values["fine_tune_epochs"]:
        form.update({"fine_tune_epochs": SUGGESTED_FINE_TUNE_EPOCHS})


def _head_parameters(dataset: Dataset) -> tuple[int, int]:
    """Trainable and other parameters of the new head; none while its settings cannot be read."""
    try:
        return head_parameters(draft().config(), len(dataset.classes))
    except ConfigError:
        return 0, 0


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
                on_click=freeze,
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
    epochs = draft().values["fine_tune_epochs"]
    when = f"in phase 2 ({count(epochs, 'epoch')})" if epochs else "in phase 2, which has 0 epochs"
    if frozen > layers // 2:
        advice += " On pictures unlike photographs, half of the backbone gains most."
    if frozen == 0:
        return f"Everything is fine-tuned {when}: that takes a lot of data and a small rate. " + advice
    return f"The last {layers - frozen} of {layers} layers are fine-tuned {when}. " + advice
