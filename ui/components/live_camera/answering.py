"""From a frame of the camera, as a browser sends it, to the result drawn beside it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tl_core.errors import ImageError, ModelUnavailableError
from tl_core.figures.probabilities import describe_probabilities, probability_text
from tl_core.format import percent
from ui.components.prediction_card import REJECTED, sureness

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

MAX_FRAME_BYTES: Final = 64_000  # the browser sends at most half of it
SHOWN: Final = 5  # classes with a bar
JPEG_START: Final = b"\xff\xd8\xff"


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
    return {
        "headline": f"{sureness(probability)} {name}" if prediction.answered else REJECTED,
        "detail": "" if prediction.answered else guess,
        "answered": prediction.answered,
        "bars": [{"name": name, "share": round(share, 4), "text": probability_text(share)} for name, share in ranked],
        "summary": describe_probabilities(ranked),
        "milliseconds": round(prediction.seconds * 1000),
    }


def _id(frame: Any) -> int | None:
    number = frame.get("id") if isinstance(frame, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None
