"""The browser's camera, classified as it looks: a few small pictures a second, each answered before the next is sent.

``live_camera.js`` shrinks what the camera sees to a small JPEG and hands it over as the value of the component; the
fragment around it asks the model and hands the answer back. Nothing is stored.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from tl_core.errors import ImageError, ModelUnavailableError
from tl_core.figures.palette import ANSWER
from tl_core.figures.probabilities import describe_probabilities, probability_text
from tl_core.runs import RunRecord
from tl_core.storage.format import percent
from ui.components.pictures import Picture
from ui.components.prediction.answers import wait_until_known
from ui.components.prediction.card import how_unlike, refusal, sureness
from ui.components.prediction.photos import show_photos
from ui.predict_page.inputs import PHOTOS, WAY
from ui.shell.errors import error_boundary

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

_ASSETS: Final = Path(__file__).parent / "assets"

# Registered once, when the module is imported: a second registration would remount the camera.
_MOUNT: Final = st.components.v2.component(
    "live_camera",
    html=(_ASSETS / "live_camera.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "live_camera.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "live_camera.js").read_text(encoding="utf-8"),
)
MAX_FRAME_BYTES: Final = 64_000  # the browser sends at most half of it
SHOWN: Final = 5  # classes with a bar
JPEG_START: Final = b"\xff\xd8\xff"


def live_camera(run: RunRecord, key: str, epoch: int | None = None) -> None:
    """Draw the camera, which is in the page, and may be on, only while it is seen; epoch None = the best one."""
    wait_until_known(run, epoch)
    st.fragment(_watch)(run, key, epoch)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Answers while you point the camera at things. The pictures are not kept.", width="content")
        st.button(
            "Take this picture",
            key=f"{key}-take",
            icon=":material/photo_camera:",
            type="tertiary",
            help="Shows the last picture as a photo: where the model looked, and what it is if the answer was wrong.",
            on_click=_take,
            args=(key,),
        )


def _take(key: str) -> None:
    """Show the last picture as a photo is shown, for a callback."""
    picture: bytes | None = st.session_state.get(f"{key}-picture")
    if picture is None:
        st.toast("Start the camera first.", icon=":material/videocam:")
        return
    show_photos([Picture(hashlib.sha256(picture).hexdigest(), "camera.jpg", picture)])
    st.session_state[WAY] = PHOTOS


@error_boundary()
def _watch(run: RunRecord, key: str, epoch: int | None) -> None:
    """Runs alone for every picture; the last one and its answer are all that is remembered, in this tab alone."""
    seen, remembered = st.session_state.get(key), f"{key}-answer"
    frame = seen.get("frame") if seen else None
    if frame is not None:
        answer = answer_frame(run.path, epoch, frame)
        st.session_state[remembered] = answer
        if "error" not in answer:
            st.session_state[f"{key}-picture"] = read_frame(frame)[1]
    _MOUNT(
        key=key,
        data={
            "answer": st.session_state.get(remembered),
            "color": ANSWER,
            "model": f"{run.id} {epoch}",
            "names": list(run.classes[:SHOWN]) if len(run.classes) <= SHOWN else [],
            "rows": min(SHOWN, len(run.classes)),
        },
        on_frame_change=lambda: None,  # names the value that the browser sends, which is read above
    )


def answer_frame(run_path: Path, epoch: int | None, frame: Any) -> dict[str, Any]:
    """Predict one frame of the camera.

    Args:
        run_path: folder of the run.
        epoch: one of its saved epochs; None = the best one.
        frame: what the browser sent, not trusted: ``{"id": number, "jpeg": base64}``.

    Returns:
        Plain values for the browser: the frame's ``id``, and ``headline``, ``detail``, ``bars``, ``summary`` and
        ``milliseconds``; or ``error``, one sentence, with ``over``: whether a retry makes no sense.
    """
    try:
        number, data = read_frame(frame)
    except ImageError as error:
        return {"id": _id(frame), "error": str(error), "over": False}
    from tl_core.inference.predict import predict_images  # imports TensorFlow, so only on demand

    try:
        (prediction,) = predict_images(run_path, [data], epoch)
    except ModelUnavailableError as error:
        return {"id": number, "error": str(error), "over": True}
    if prediction.error is not None:
        return {"id": number, "error": prediction.error, "over": False}
    return {"id": number, **_in_words(prediction)}


def read_frame(frame: Any) -> tuple[int, bytes]:
    """Number and JPEG of a picture that the browser sent.

    Raises:
        ImageError: it is none, or too large.
    """
    if not isinstance(frame, dict) or _id(frame) is None or not isinstance(frame.get("jpeg"), str):
        raise ImageError("The camera's picture has arrived damaged: press Stop, then Start.")
    encoded: str = frame["jpeg"]
    if len(encoded) > MAX_FRAME_BYTES * 4 / 3 + 4:
        raise ImageError(
            f"The camera's picture has {len(encoded) * 3 // 4000:,} kB, more than the {MAX_FRAME_BYTES // 1000} kB "
            "allowed: reload the page."
        )
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        data = b""
    if not data.startswith(JPEG_START):
        raise ImageError("The camera's picture has arrived damaged: press Stop, then Start.")
    return frame["id"], data


def _in_words(prediction: Answer) -> dict[str, Any]:
    ranked = prediction.ranked[:SHOWN]
    name, probability = ranked[0]
    guess = (
        f"Best guess: {name}, {probability_text(probability)}; it answers from {percent(prediction.threshold, 0)} on."
    )
    if prediction.unlike and prediction.nearest is not None:
        guess = f"{how_unlike(prediction)} The most similar one is in the class {prediction.nearest.label}."
    return {
        "headline": f"{sureness(probability)} {name}" if prediction.answered else refusal(prediction),
        "detail": "" if prediction.answered else guess,
        "answered": prediction.answered,
        "bars": [{"name": name, "share": round(share, 4), "text": probability_text(share)} for name, share in ranked],
        "summary": describe_probabilities(ranked),
        "milliseconds": round(prediction.seconds * 1000),
    }


def _id(frame: Any) -> int | None:
    number = frame.get("id") if isinstance(frame, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
