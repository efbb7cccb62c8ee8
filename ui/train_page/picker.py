"""Pickers for the dataset, the preset and the backbone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import streamlit as st

from tl_core.backbones.registry import BACKBONES, Backbone, get_backbone
from tl_core.backbones.weights import weights_status
from tl_core.config import SETTINGS
from tl_core.config.presets import PRESETS
from tl_core.data import SPLITS, Dataset
from tl_core.storage.format import count
from tl_core.storage.workspace import Workspace
from ui.components.pickers import dataset_labels
from ui.state.form_values import changed_settings
from ui.state.training_draft import Draft, draft, show_in_control
from ui.train_page.backbone_table import (
    COLUMNS,
    Row,
    backbone_rows,
    describe_backbone,
    how_to_get_weights,
    search,
)

_DATASET_KEY: Final = "train_dataset"
_GONE_KEY: Final = "train_dataset_gone"  # whether other images are shown than were requested
_TABLES_KEY: Final = "train_backbone_tables"  # how many tables there have been
_MARKED_KEY: Final = "train_backbone_marked"  # what the table on the screen shows as chosen, and its rows
_SEARCH_KEY: Final = "train_backbone_search"
_TABLE_HEIGHT: Final = 320  # px
_PRESET: Final = SETTINGS["preset"]
_MOST_NAMED: Final = 2  # changed settings named one by one; more are counted


def choose_dataset(workspace: Workspace, datasets: Sequence[Dataset]) -> Dataset:
    """The list of datasets that the person of the workspace may see, at least one; returns the chosen one."""
    form = draft()
    by_id = {dataset.id: dataset for dataset in datasets}
    if form.dataset_id not in by_id:
        if form.dataset_id is not None:
            st.session_state[_GONE_KEY] = True
        form.dataset_id = datasets[0].id
    if st.session_state.get(_GONE_KEY):
        gone = "gone" if workspace.person is None else "gone, or somebody else's who does not share them"
        st.warning(f"The images chosen before are {gone}. These are others.", icon=":material/link_off:")
    st.session_state[_DATASET_KEY] = form.dataset_id  # each time, as `show_in_control` does
    st.selectbox(
        "Dataset",
        list(by_id),
        key=_DATASET_KEY,
        format_func=dataset_labels(datasets).__getitem__,
        help="The images to learn from. Bring your own or take a sample on the Data page.",
        on_change=_dataset_chosen,
    )
    chosen = by_id[form.dataset_id]
    classes = count(len(chosen.classes), "class", "classes")
    train, validation, test = (len(chosen.of_split(split)) for split in SPLITS)
    st.caption(f"{classes}; {train:,} images to train on, {validation:,} to validate, {test:,} to test.")
    return chosen


def choose_preset() -> None:
    """The list of presets; choosing one fills in the whole form."""
    form = draft()
    current = form.values["preset"]
    show_in_control(_PRESET, current)
    st.selectbox(
        _PRESET.label,
        [*PRESETS, *([] if current in PRESETS else [current])],
        key=_PRESET.key,
        format_func=lambda name: PRESETS[name].title if name in PRESETS else f"{name} (from a file)",
        help=_PRESET.help,
        on_change=_preset_chosen,
    )
    if current in PRESETS:
        preset = PRESETS[current]
        st.caption(preset.text + (f" [Published here]({preset.source_url})." if preset.source_url else ""))
        _changes_since(form)


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
    if not folded.open:  # the table is the costliest part of the form, and seldom needed
        return
    with folded:
        st.caption(
            "Each was trained on ImageNet, and brings its own way of scaling the input, which is built into your "
            "model. Small ones are fast; large ones are often, not always, better."
        )
        words = st.text_input(
            "Search",
            key=_SEARCH_KEY,
            type="search",
            live="300ms",
            placeholder="Name, family, or “on this machine”",
            help="Shows the backbones in which all words occur.",
        )
        rows = backbone_rows(BACKBONES.values(), lambda backbone: weights_status(backbone, workspace).here)
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
        selection_mode="single-row",
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
    rows = st.session_state[key]["selection"]["rows"]
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
        else text(column.title, help=column.help, pinned=name == "title")
        for name, column in COLUMNS.items()
    }


def _dataset_chosen() -> None:
    st.session_state.pop(_GONE_KEY, None)
    draft().dataset_id = st.session_state[_DATASET_KEY]


def _preset_chosen() -> None:
    if chosen := PRESETS.get(st.session_state[_PRESET.key]):
        draft().fill(chosen.config)


def _changes_since(form: Draft) -> None:
    """Always one line, so that nothing below it moves when the first setting is changed."""
    config = PRESETS[form.values["preset"]].config
    changed = changed_settings(form.values, config)
    if not changed:
        text = "As the preset has it."
    elif len(changed) > _MOST_NAMED:
        text = f"{len(changed)} settings changed."
    else:
        text = f"Changed: {', '.join(SETTINGS[path].label.lower() for path in changed)}."
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(text, width="content")
        st.button(
            "Back to the preset",
            type="tertiary",
            icon=":material/undo:",
            disabled=not changed,
            help="Sets everything as the preset has it; the dataset stays.",
            on_click=form.fill,
            args=(config,),
        )
