"""The pictures to predict: files, the camera, the test images."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from tl_core.data import load_dataset
from tl_core.data.normalise import MAX_IMAGE_BYTES
from tl_core.errors import DataError
from tl_core.runs import RunRecord
from tl_core.storage.workspace import Workspace

MAX_PICTURES: Final = 200  # at once; a browser that holds many more becomes slow
CAMERA_WIDTH: Final = 480  # px; narrower on a phone


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture to predict."""

    id: str  # the same as long as it is the same picture in this browser tab
    name: str
    data: bytes  # the uploaded file, not trusted
    truth: str | None = None  # its class, where that is known


def image_uploader(label: str, key: str, help: str | None = None) -> list[UploadedFile]:
    """Draw a field for one or many images; gives what is in it.

    Any image may come: a phone then offers its photos, and a format that cannot be read gets a sentence.
    """
    return st.file_uploader(
        label,
        type="image",
        accept_multiple_files=True,
        max_upload_size=MAX_IMAGE_BYTES // 1_000_000,
        key=key,
        help=help,
    )


def choose_pictures(workspace: Workspace, run: RunRecord | None, key: str) -> list[Picture]:
    """Draw the ways to add pictures, test images of the run among them; returns those that are there."""
    files = image_uploader(
        "Pictures to recognise", f"{key}-files", "One or many. They stay on this machine and are not kept."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        sample = _test_image(workspace, run, key) if run else None
    camera = st.expander(
        "Take one with the camera", icon=":material/photo_camera:", on_change="rerun", key=f"{key}-camera"
    )
    photo = None
    if camera.open:  # so that the browser does not request the camera before it is needed
        with camera:
            photo = st.camera_input("Photo", key=f"{key}-photo", label_visibility="collapsed", width=CAMERA_WIDTH)
    if len(files) > MAX_PICTURES:
        st.warning(f"Only the first {MAX_PICTURES} of {len(files):,} pictures are shown to the model at once.")
    uploaded = [*([photo] if photo else []), *files[:MAX_PICTURES]]
    pictures = [Picture(file.file_id, file.name, file.getvalue()) for file in uploaded]
    return [sample, *pictures] if sample else pictures


def _test_image(workspace: Workspace, run: RunRecord, key: str) -> Picture | None:
    """A button that takes one image of the dataset at random; its place in the dataset is what is remembered."""
    try:
        dataset = load_dataset(workspace.datasets / run.dataset_id)
    except DataError:
        return None  # the dataset was deleted since; pictures of one's own still work
    images = dataset.of_split("test") or dataset.of_split("validation")  # a training image would flatter the model
    if not images:
        return None
    state = f"{key}-test-image-{run.id}"
    if st.button(
        "Another test image" if state in st.session_state else "Try with a test image",
        key=f"{key}-try",
        icon=":material/casino:",
        help="Takes an image that the model has not learned from, at random.",
    ):
        st.session_state[state] = random.randrange(len(images))  # noqa: S311 -- a picture to look at, not a secret
        st.rerun()
    if state not in st.session_state:
        return None
    if st.button("Remove it", key=f"{key}-remove", icon=":material/close:", type="tertiary"):
        del st.session_state[state]
        st.rerun()
    record = images[st.session_state[state] % len(images)]
    return Picture(
        record.pixels_sha256, record.source_name, dataset.path_of(record).read_bytes(), dataset.classes[record.label]
    )
