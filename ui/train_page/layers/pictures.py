"""What the blocks of the chosen backbone see in one picture, and what a channel likes most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import streamlit as st

from tl_core.backbones.registry import get_backbone
from tl_core.data import Dataset, read_image
from tl_core.data.decoding import fit_to_square
from tl_core.data.normalise import decode_image
from tl_core.figures.heatmap import heat_tile, overlay
from tl_core.machine.progress import TaskContext
from ui.components.markdown import plain
from ui.components.pictures import image_uploader
from ui.components.task_progress import task_progress
from ui.components.thumbnail import dataset_thumbnail
from ui.shell.errors import error_boundary
from ui.state.background_tasks import BackgroundTasks
from ui.state.training_draft import draft
from ui.train_page.layers.probes import Seeing, seen_by, study_of

if TYPE_CHECKING:
    from tl_core.audit.layers.maps import BlockMaps

Image = npt.NDArray[np.uint8]

LOOKS: Final = BackgroundTasks[Any](  # the result is the maps of every block
    "look at a picture",
    at_a_time=1,
    remembered=20,
    unexpected="Looking at the picture ended because of an unexpected error. The log has the details.",
)
_STEP: Final = 7919  # a large odd step walks through all classes instead of through the first one
_SIDE: Final = 200  # px of a drawn map


def layer_pictures(dataset: Dataset) -> None:
    """Draw the section, folded until somebody wants to see it."""
    folded = st.expander(
        "What the layers see", icon=":material/layers:", key="train_layer_pictures", on_change="rerun"
    )
    if folded.open:
        with folded, error_boundary():
            _section(dataset)


def _section(dataset: Dataset) -> None:
    picture, name, number = _choose_picture(dataset)
    seeing = seen_by()
    subject = f"{number}|{seeing}"
    task = LOOKS.latest(subject)
    if task is None:
        title = f"The look at {name}"
        LOOKS.start(title, lambda context: _look(seeing, picture, context), subject, alone=True)
        task = LOOKS.latest(subject)
    if task is not None and task_progress(LOOKS, task, "train_look") and task.result is not None:
        # What lies over a picture is drawn on what the backbone got of it; squeezed that is the whole, in its shape.
        shown = picture if seeing.fit == "squeeze" else fit_to_square(picture, max(picture.shape[:2]), seeing.fit)
        _means(shown, task.result)
        _channels(dataset, task.result)


def _look(seeing: Seeing, picture: Image, task: TaskContext) -> tuple[BlockMaps, ...]:
    from tl_core.audit.layers.maps import feature_maps  # imports TensorFlow

    return feature_maps(seeing.backbone, picture, seeing.size, task, seeing.fit)


def _choose_picture(dataset: Dataset) -> tuple[Image, str, str]:
    """The picture to look at, its name, and what tells it from others: a photo of one's own, or one of the images."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        photos = image_uploader("A photo of your own", "train_layer_photo", label_visibility="collapsed")
        st.button(
            "Another image", key="train_layer_next", icon=":material/image:", on_click=_next, disabled=bool(photos)
        )
    if photos:
        return decode_image(photos[-1].getvalue()), plain(photos[-1].name), photos[-1].file_id
    at = st.session_state.get("train_layer_image", 0)
    record = dataset.images[at % len(dataset.images)]
    path = dataset.path_of(record)
    return read_image(path), plain(record.source_name), str(path)


def _next() -> None:
    st.session_state["train_layer_image"] = st.session_state.get("train_layer_image", 0) + _STEP


def _means(picture: Image, blocks: tuple[BlockMaps, ...]) -> None:
    title = get_backbone(draft().values["backbone"]).title
    st.markdown(
        f"**Where each block of {title} responds.** Early ones see edges and "
        "textures in fine detail, late ones parts of objects in few places."
    )
    with st.grid("auto", min_column_width=100, gap="small"):
        st.image(
            overlay(picture, np.zeros((1, 1), np.float32), _SIDE), "The picture", width="stretch", alt="The picture"
        )
        for block in blocks:
            height, width = block.side
            st.image(
                overlay(picture, block.mean, _SIDE),
                f"{block.title}: {height} × {width}, {block.channels:,} channels",
                width="stretch",
                alt=f"Where {block.title} responds",
            )


def _channels(dataset: Dataset, blocks: tuple[BlockMaps, ...]) -> None:
    by_title = {block.title: block for block in blocks}
    title = st.pills(
        "Block", list(by_title), default=blocks[-1].title, required=True, key=f"train_layer_block_{len(blocks)}"
    )
    block = by_title[title or blocks[-1].title]
    st.markdown("**Its strongest channels in this picture**, each from its lowest value to its highest")
    with st.grid("auto", min_column_width=90, gap="small"):
        for channel, values in zip(block.strongest, block.maps, strict=True):
            st.image(heat_tile(values, _SIDE), f"Channel {channel}", width="stretch", alt=f"Map of channel {channel}")
    study = study_of(dataset)
    if study is None:
        st.caption(
            "Which of your images a channel likes most is shown once you have asked *What does each block know?*"
        )
        return
    channel = st.pills(
        "What a channel likes most",
        block.strongest,
        default=block.strongest[0],
        required=True,
        format_func=lambda number: f"Channel {number}",
        key=f"train_layer_channel_{block.title}_{block.strongest}",
    )
    probe = next(probe for probe in study.blocks if probe.title == block.title)
    with st.grid("auto", min_column_width=90, gap="small"):
        for row in probe.favourites[channel if channel is not None else block.strongest[0]]:
            record = study.images[row]
            label = dataset.classes[record.label]
            st.image(
                dataset_thumbnail(dataset.path_of(record)),
                plain(label),
                width="stretch",
                alt=f"{label}: {record.source_name}",
            )
