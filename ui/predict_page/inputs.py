"""The ways to show the model a picture: photos, the camera, a test image, the live camera, a whole zip."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

import streamlit as st

from tl_core.errors import DataError
from tl_core.runs import RunRecord, dataset_of
from tl_core.storage.workspace import Workspace
from ui.components.pictures import Picture
from ui.components.prediction.answers import Asked
from ui.components.prediction.photos import camera_field, photo_field, show_photos, shown_photos
from ui.predict_page.archive import archive_upload, task_in_address

PHOTOS, CAMERA, LIVE, ZIP = "photos", "camera", "live", "zip"
WAYS: Final[Mapping[str, str]] = {
    PHOTOS: "Photos",
    CAMERA: "Camera",
    LIVE: "Live",
    ZIP: "Zip",
}
WAY: Final = "predict-way"  # in the session: the chosen one
CAMERA_WIDTH: Final = 480  # px; narrower on a phone


def way_in(asked: Asked, *, key: str = WAY) -> str:
    """Draw the choice between the ways; returns the chosen one."""
    ways = [way for way in WAYS if way != LIVE or isinstance(asked, RunRecord)]  # an imported model is too slow
    if key not in st.session_state:
        st.session_state[key] = ZIP if task_in_address() else PHOTOS
    if st.session_state[key] not in ways:
        st.session_state[key] = PHOTOS
    chosen = st.segmented_control(
        "Where the picture comes from",
        ways,
        format_func=WAYS.__getitem__,
        required=True,
        key=key,
        label_visibility="collapsed",
        width="stretch",
        wrap=True,
    )
    return chosen or PHOTOS


def take_pictures(way: str, workspace: Workspace, asked: Asked, *, key: str, epoch: int | None = None) -> None:
    """Draw one way; what comes through it is what `shown_photos` gives, but for a zip and the live camera.

    Args:
        way: one of `WAYS`.
        workspace: of the visitor.
        asked: whose model answers.
        key: names the controls on their page.
        epoch: the saved epoch that answers; None = the best one.
    """
    if way == LIVE:
        return
    if way == CAMERA:
        camera_field(f"{key}-photo", CAMERA_WIDTH)
    elif way == ZIP:
        archive_upload(workspace, asked, f"{key}-zip", epoch)
        return
    else:
        photo_field("One photo or many", f"{key}-files")
    with st.container(horizontal=True, vertical_alignment="center"):
        if isinstance(asked, RunRecord):
            _test_image(workspace, asked, key)
        if shown_photos():
            st.button(
                "Clear",
                key=f"{key}-clear",
                icon=":material/close:",
                type="tertiary",
                on_click=show_photos,
                args=([],),
            )


def _test_image(workspace: Workspace, run: RunRecord, key: str) -> None:
    """A button that takes one image of the dataset at random."""
    try:
        dataset = dataset_of(run, workspace.datasets / run.dataset_id)
    except DataError:
        return  # the dataset was deleted since; pictures of one's own still work
    images = dataset.of_split("test") or dataset.of_split("validation")  # a training image would flatter the model
    if not images:
        return
    shown = shown_photos()
    if st.button(
        "Another test image" if shown and shown[0].truth else "Try with a test image",
        key=f"{key}-try",
        icon=":material/casino:",
        help="Takes an image that the model has not learned from, at random.",
    ):
        record = random.choice(images)  # noqa: S311 -- a picture to look at, not a secret
        data = dataset.path_of(record).read_bytes()
        show_photos([Picture(record.pixels_sha256, record.source_name, data, dataset.classes[record.label])])
        st.rerun()
