"""All settings that have a good default, in groups behind *More options*."""

from __future__ import annotations

import streamlit as st

from tl_core.backbones.registry import get_backbone
from tl_core.config import AUGMENTATION_LEVELS, SETTINGS
from tl_core.data import Dataset
from ui.state.form_values import CUSTOM_AUGMENTATION, augmentation_level, level_values
from ui.state.training_draft import draft, show_in_control
from ui.train_page.config_io import save_and_load
from ui.train_page.controls import control
from ui.train_page.preview import augmentation_preview
from ui.train_page.summary import options_summary

_LEVEL_KEY = "train_augmentation_level"
_SIZES = (96, 128, 150, 160, 180, 192, 224, 240, 260, 299, 331, 384, 480)
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
        save_and_load()


def _training() -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        control("optimizer")
        control("weight_decay", disabled=draft().values["optimizer"] not in _USES_WEIGHT_DECAY)
        control("schedule")
        control("batch_size")
    with right:
        control("early_stopping_patience")
        control("label_smoothing")
        control("class_weights")


def _head(dataset: Dataset) -> None:
    st.caption("The head turns the backbone's features into your classes. It is always trained from scratch.")
    hidden = bool(draft().values["head.dense_units"].strip())
    left, right = st.columns(2, gap="medium")
    with left:
        control("head.pooling")
        control("head.feature_normalization")
        control("head.dropout")
        control("head.output", disabled=len(dataset.classes) != 2 and draft().values["head.output"] == "softmax")
    with right:
        control("head.dense_units")
        control("head.activation", disabled=not hidden)
        control("head.l2", disabled=not hidden)
        control("head.batch_norm", disabled=not hidden)


def _augmentation(dataset: Dataset) -> None:
    st.caption(
        "Random changes make new training images out of the ones you have, against over-fitting. They rule out the "
        "shortcut of running the backbone only once, so each epoch takes longer."
    )
    _level()
    values = draft().values
    on = augmentation_level(values) != "none"
    left, right = st.columns(2, gap="medium")
    with left:
        augmentation_preview(dataset)
        control("augmentation_mode", disabled=not on)
        control("views", disabled=not on or values["augmentation_mode"] != "cached_views")
    with right:
        for name in ("horizontal_flip", "vertical_flip"):
            control(f"augmentation.{name}")
        for name in ("rotation_degrees", "zoom", "shift", "shear", "brightness", "contrast"):
            control(f"augmentation.{name}")
        control("augmentation.fill_mode", disabled=not on)


def _level() -> None:
    st.session_state[_LEVEL_KEY] = augmentation_level(draft().values)  # each time, as `show_in_control` does
    st.radio(
        "How much",
        [*AUGMENTATION_LEVELS, CUSTOM_AUGMENTATION],
        key=_LEVEL_KEY,
        horizontal=True,
        format_func=str.capitalize,
        help="A level sets all controls below; changing one of them makes it your own mixture.",
        on_change=_level_chosen,
    )


def _level_chosen() -> None:
    chosen = st.session_state[_LEVEL_KEY]
    if chosen in AUGMENTATION_LEVELS:
        draft().update(level_values(chosen))


def _machine() -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        _image_size()
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
        on_change=_size_chosen,
    )


def _size_chosen() -> None:
    setting = SETTINGS["image_size"]
    draft().update({setting.path: st.session_state[setting.key] or None})
