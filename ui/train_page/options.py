"""All settings that have a good default, in groups behind *More options*."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from tl_core.backbones.registry import get_backbone
from tl_core.config import AUGMENTATION_LEVELS, SETTINGS
from tl_core.data import Dataset
from tl_core.errors import ConfigError, TransferLearningError
from ui.components.downloads import download
from ui.state.config_text import from_text, to_text
from ui.state.form_values import CUSTOM_AUGMENTATION, augmentation_level, level_values
from ui.state.training_draft import draft, show_in_control
from ui.train_page.controls import control
from ui.train_page.preview import augmentation_preview
from ui.train_page.summary import options_summary

_LEVEL_KEY = "train_augmentation_level"
_SIZES = (96, 128, 150, 160, 180, 192, 224, 240, 260, 299, 331, 384, 480)
_TEXT_KEY = "train_text"
_FILE_KEY = "train_text_file"
_ANSWER_KEY = "train_text_answer"  # why the text was refused, or "" where it was loaded
_MOVES = ("horizontal_flip", "vertical_flip", "rotation_degrees", "zoom", "shift", "shear", "brightness", "contrast")
_USES_WEIGHT_DECAY = ("adamw", "sgd")


def more_options(dataset: Dataset) -> None:
    """The closed part of the form, drawn once it is opened."""
    folded = st.expander("More options", icon=":material/tune:", key="train_more_options", on_change="rerun")
    st.caption(options_summary(draft().values))
    if not folded.open:
        return
    with folded:
        groups = st.tabs(["Training", "Head", "Augmentation", "Image and machine", "Save and load"])
    with groups[0]:
        _training()
    with groups[1]:
        _head(dataset)
    with groups[2]:
        _augmentation(dataset)
    with groups[3]:
        _machine()
    with groups[4]:
        _save_and_load()


def _in_columns(left: Sequence[str], right: Sequence[str], disabled: Sequence[str]) -> None:
    for column, paths in zip(st.columns(2, gap="medium"), (left, right), strict=True):
        with column:
            for path in paths:
                control(path, disabled=path in disabled)


def _training() -> None:
    _in_columns(
        ("optimizer", "weight_decay", "schedule", "batch_size"),
        ("early_stopping_patience", "label_smoothing", "class_weights"),
        () if draft().values["optimizer"] in _USES_WEIGHT_DECAY else ("weight_decay",),
    )


def _head(dataset: Dataset) -> None:
    st.caption("The head turns the backbone's features into your classes. It is always trained from scratch.")
    values = draft().values
    disabled = [] if values["head.dense_units"].strip() else ["head.activation", "head.batch_norm"]
    if values["head.pooling"] == "flatten" and values["head.blocks"] == 1:
        disabled.append("head.blocks")
    if len(dataset.classes) != 2 and values["head.output"] == "softmax":
        disabled.append("head.output")
    _in_columns(
        ("head.pooling", "head.blocks", "head.mirrored", "head.feature_normalization", "head.output"),
        ("head.dense_units", "head.activation", "head.dropout", "head.l2", "head.batch_norm"),
        disabled,
    )


def _augmentation(dataset: Dataset) -> None:
    st.caption(
        "Random changes make new training images out of the ones you have, against over-fitting. The backbone then "
        "has to run again in every epoch, so training takes longer."
    )
    values = draft().values
    level = augmentation_level(values)
    st.session_state[_LEVEL_KEY] = level  # each time, as `show_in_control` does
    st.radio(
        "How much",
        [*AUGMENTATION_LEVELS, CUSTOM_AUGMENTATION],
        key=_LEVEL_KEY,
        horizontal=True,
        format_func=str.capitalize,
        help="A level sets all controls below; changing one of them makes it your own mixture.",
        on_change=_level_chosen,
    )
    on = level != "none"
    left, right = st.columns(2, gap="medium")
    with left:
        augmentation_preview(dataset)
        control("augmentation_mode", disabled=not on)
        control("views", disabled=not on or values["augmentation_mode"] != "cached_views")
    with right:
        for name in _MOVES:
            control(f"augmentation.{name}")
        control("augmentation.fill_mode", disabled=not on)


def _level_chosen() -> None:
    chosen = st.session_state[_LEVEL_KEY]
    if chosen in AUGMENTATION_LEVELS:
        draft().update(level_values(chosen))


def _machine() -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        _image_size()
        control("fit")
        control("weights")
        control("keep_last_epochs")
    with right:
        control("precision")
        control("seed")


def _image_size() -> None:
    setting, form = SETTINGS["image_size"], draft()
    backbone = get_backbone(form.values["backbone"])
    current = form.values["image_size"]
    sizes = sorted({size for size in _SIZES if size >= backbone.min_image_size} | ({current} if current else set()))
    words = f"As the backbone was trained ({backbone.image_size} px)"
    show_in_control(setting, current or 0)
    st.selectbox(
        setting.label,
        [0, *sizes],
        key=setting.key,
        format_func=lambda size: f"{size} px" if size else words,
        help=setting.help,
        on_change=lambda: form.update({setting.path: st.session_state[setting.key] or None}),
    )


def _save_and_load() -> None:
    """Both ways between the form and its text version."""
    save, load = st.columns(2, gap="medium")
    with save:
        _save()
    with load:
        _load()


def _save() -> None:
    st.markdown("**Save**")
    st.caption("Every setting of this form as text: keep it beside your results, or send it to a colleague.")
    try:
        text = to_text(draft().config())
    except ConfigError as error:
        st.warning(str(error), icon=":material/warning:")
        return
    download(
        "Save configuration",
        text,
        "training-configuration.json",
        help="Downloads a small text file in the JSON format.",
    )
    with st.container(height=240, border=False):
        st.code(text, language="json")


def _load() -> None:
    st.markdown("**Load**")
    st.caption("Fills in the form. Settings that the text leaves out take their defaults.")
    st.file_uploader(
        "A saved file",
        type=["json", "txt"],
        key=_FILE_KEY,
        max_upload_size=1,
        on_change=_fill_from_file,
        help="The file that “Save configuration” made.",
    )
    st.text_area(
        "Or its text", key=_TEXT_KEY, height=120, placeholder='{"epochs": 20, …}', help="Paste the saved text here."
    )
    st.button(
        "Use this text",
        icon=":material/upload:",
        on_click=lambda: _fill_from(st.session_state.get(_TEXT_KEY) or ""),
        help="Fills in the form from the text.",
    )
    if refused := st.session_state.pop(_ANSWER_KEY, None):
        st.error(refused, icon=":material/error:")
    elif refused == "":
        st.success("Loaded: the form now shows this configuration.", icon=":material/check:")


def _fill_from_file() -> None:
    if (uploaded := st.session_state[_FILE_KEY]) is not None:
        _fill_from(uploaded.getvalue())


def _fill_from(text: str | bytes) -> None:
    try:
        draft().fill(from_text(text))
        st.session_state[_ANSWER_KEY] = ""
    except TransferLearningError as error:
        st.session_state[_ANSWER_KEY] = str(error)
