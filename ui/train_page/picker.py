"""The images that the form is about, and the picker of the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from tl_core.backbones.record import Backbone
from tl_core.backbones.registry import all_backbones, get_backbone
from tl_core.backbones.weights import weights_status
from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data import SPLITS, Dataset
from tl_core.errors import ConfigError
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.markdown import plain
from ui.components.pickers import dataset_labels
from ui.state.current import remembered
from ui.state.training_draft import draft
from ui.train_page.backbone_table import (
    COLUMNS,
    Row,
    backbone_rows,
    describe_backbone,
    how_to_get_weights,
    search,
)
from ui.train_page.bring_network import bring_network_section

_GONE_KEY: Final = "train_dataset_gone"  # the images that are shown in place of those that were requested
_TABLES_KEY: Final = "train_backbone_tables"  # how many tables there have been
_MARKED_KEY: Final = "train_backbone_marked"  # what the table on the screen shows as chosen, and its rows
_SEARCH_KEY: Final = "train_backbone_search"
_TABLE_HEIGHT: Final = 400  # px


def choose_dataset(workspace: Workspace, datasets: Sequence[Dataset]) -> Dataset:
    """The dataset that is chosen in the line at the top, in a line of its own.

    Args:
        workspace: of the person.
        datasets: that the person may see, at least one.
    """
    form = draft()
    by_id = {dataset.id: dataset for dataset in datasets}
    if form.dataset_id not in by_id:
        replaced = form.dataset_id is not None
        current = remembered().dataset
        form.dataset_id = current if current in by_id else datasets[0].id
        st.query_params["dataset"] = form.dataset_id
        if replaced:
            st.session_state[_GONE_KEY] = form.dataset_id
    if st.session_state.get(_GONE_KEY) == form.dataset_id:
        gone = "gone" if workspace.person is None else "gone, or somebody else's who does not share them"
        st.warning(f"The images chosen before are {gone}. These are others.", icon=":material/link_off:")
    chosen = by_id[form.dataset_id]
    classes = count(len(chosen.classes), "class", "classes")
    train, validation, test = (len(chosen.of_split(split)) for split in SPLITS)
    name = plain(dataset_labels(datasets)[chosen.id])
    st.markdown(
        f":material/photo_library: **{name}**: {classes}; {train:,} images to train on, {validation:,} to validate, "
        f"{test:,} to test."
    )
    return chosen


def replace_lost_backbone() -> None:
    """Take the backbone of the default in place of a network that was deleted since it was chosen, and say so."""
    try:
        get_backbone(draft().values["backbone"])
    except ConfigError:
        ready = get_backbone(PRESETS[DEFAULT_PRESET].config.backbone)
        draft().update({"backbone": ready.name, "frozen_layers": None, "image_size": None})
        st.warning(
            f"The network chosen before is not on this machine any more. {ready.title} is chosen in its place.",
            icon=":material/link_off:",
        )


def choose_backbone(workspace: Workspace) -> None:
    """The current backbone in a line, and the table of all of them folded behind it."""
    backbone = get_backbone(draft().values["backbone"])
    here = weights_status(backbone, workspace).here
    st.markdown(f"**{backbone.title}** · {describe_backbone(backbone, here=here)}")
    if not here:
        st.caption(how_to_get_weights(backbone))
    folded = st.expander(
        "Choose another backbone", icon=":material/swap_horiz:", key="train_backbones", on_change="rerun"
    )
    bring_network_section(workspace)
    if not folded.open:  # the table is the costliest part of the form, and seldom needed
        return
    with folded:
        st.caption(
            "Each has learned to see from the photos of ImageNet. Small ones are fast; large ones are often, not "
            "always, better. **Click a row to choose it.**"
        )
        words = st.text_input(
            "Search",
            key=_SEARCH_KEY,
            type="search",
            live="300ms",
            placeholder="Name, family, or “on this machine”",
            help="Shows the backbones in which all words occur.",
        )
        rows = backbone_rows(all_backbones(workspace), lambda backbone: weights_status(backbone, workspace).here)
        _table(search(rows, words or ""), backbone)


def _table(rows: list[Row], current: Backbone) -> None:
    import pandas as pd  # half a second, which a page that shows no table does not need

    if not rows:
        st.info("No backbone matches. Try one word only, such as “mobile” or “resnet”.", icon=":material/search_off:")
        return
    names = [row["name"] for row in rows]
    key = _table_key(current.name, names)
    st.dataframe(
        pd.DataFrame(rows),
        key=key,
        column_order=list(COLUMNS),
        column_config=_column_config(),
        hide_index=True,
        height=min(_TABLE_HEIGHT, 37 + 35 * len(rows)),
        on_select=partial(_backbone_chosen, key, names),
        selection_mode=["single-row", "single-cell"],  # a click anywhere in the row, not only on its box
        selection_default={"selection": {"rows": [names.index(current.name)] if current.name in names else []}},
        placeholder="–",
        alt="Backbones with family, size, accuracy and speed; select a row to use it.",
    )


def _table_key(current: str, names: list[str]) -> str:
    """A key that changes, and so marks the current backbone anew, when rows or choice changed behind the table.

    While people pick rows in it, the table keeps its key and with it its place on the screen.
    """
    state = (current, tuple(names))
    if st.session_state.get(_MARKED_KEY) != state:
        st.session_state[_MARKED_KEY] = state
        st.session_state[_TABLES_KEY] = st.session_state.get(_TABLES_KEY, 0) + 1
    return f"train_backbone_table_{st.session_state[_TABLES_KEY]}"


def _backbone_chosen(key: str, names: list[str]) -> None:
    selection = st.session_state[key]["selection"]
    clicked = [row for row, _ in selection["cells"]]
    rows = clicked or selection["rows"]
    if clicked:  # the row of the cell is marked anew
        st.session_state.pop(_MARKED_KEY)
        draft().choose_backbone(names[clicked[0]])
        return
    if not rows:  # the marked row was pressed again: the choice stays, so mark it again
        st.session_state.pop(_MARKED_KEY)
        return
    draft().choose_backbone(names[rows[0]])
    st.session_state[_MARKED_KEY] = (names[rows[0]], tuple(names))


def _column_config() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        name: number(column.title, help=column.help, format=column.format)
        if column.format
        else text(column.title, help=column.help)
        for name, column in COLUMNS.items()
    }
