"""What the server makes of the pictures of a live camera, which anybody may send."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from tests.ui.pages_without_browser import checked, open_page, press, texts
from tests.ui.trained_runs import COLOURS, colour_dataset, coloured, ended_run
from tl_core.errors import ImageError
from tl_core.inference.calibration import Calibration, save_calibration
from tl_core.inference.predict import predict_images
from ui.predict_page.live_camera import MAX_FRAME_BYTES, answer_frame, read_frame

PAGE = "pages/5_Predict.py"


@pytest.fixture
def run(workspace):
    return ended_run(workspace, colour_dataset(workspace), "Red or blue")


def jpeg(colour="red", size=(480, 360), quality=80):
    file = io.BytesIO()
    with Image.open(io.BytesIO(coloured(COLOURS[colour], 7))) as picture:
        picture.resize(size).save(file, "JPEG", quality=quality)
    return file.getvalue()


def frame(data, number=1):
    return {"id": number, "jpeg": base64.b64encode(data).decode()}


def test_a_picture_of_the_camera_is_answered_as_any_other_picture(run):
    data = jpeg()
    answer = answer_frame(run.path, None, frame(data, 41))
    (said,) = predict_images(run.path, [data])
    assert answer["id"] == 41
    assert answer["headline"] == "Almost certainly red"
    assert answer["answered"] is True
    assert [bar["name"] for bar in answer["bars"]] == [name for name, _ in said.ranked[:5]]
    assert [bar["share"] for bar in answer["bars"]] == pytest.approx(
        [share for _, share in said.ranked[:5]], abs=1e-4
    )
    assert answer_frame(run.path, None, frame(jpeg("blue")))["headline"] == "Almost certainly blue"


def test_below_the_threshold_it_says_i_dont_know(run):
    save_calibration(run.workspace, run, Calibration(model_sha256=run.model_sha256, temperature=20, threshold=0.9))
    answer = answer_frame(run.path, None, frame(jpeg()))
    assert (answer["headline"], answer["answered"]) == ("I don't know", False)
    assert answer["detail"].startswith("Best guess: red, ")
    assert answer["detail"].endswith("it answers from 90 % on.")


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "text",
        {},
        {"id": 1},
        {"id": 1, "jpeg": 7},
        {"id": "1", "jpeg": ""},
        {"id": True, "jpeg": ""},
        {"id": 1, "jpeg": "no base64 !"},
        {"id": 1, "jpeg": base64.b64encode(coloured(COLOURS["red"], 1)).decode()},  # a PNG
    ],
)
def test_anything_but_a_small_jpeg_is_a_sentence(run, sent):
    answer = answer_frame(run.path, None, sent)
    assert answer["error"] == "The camera's picture has arrived damaged: press Stop, then Start."
    assert answer["over"] is False


def test_a_jpeg_that_is_cut_off_is_a_sentence(run):
    answer = answer_frame(run.path, None, frame(jpeg()[:2000]))
    assert "damaged or cut off" in answer["error"]


def test_no_large_picture_is_decoded(run, monkeypatch):
    monkeypatch.setattr("tl_core.inference.predict.predict_images", lambda *_: pytest.fail("it was looked at"))
    large = frame(b"\xff\xd8\xff" + bytes(MAX_FRAME_BYTES))
    assert "more than the 64 kB allowed" in answer_frame(run.path, None, large)["error"]
    with pytest.raises(ImageError, match="20,000 kB"):
        read_frame({"id": 1, "jpeg": "A" * 26_666_668})


def test_a_model_that_is_gone_ends_it(run):
    run.folder.model_file.unlink()
    answer = answer_frame(run.path, None, frame(jpeg()))
    assert answer["over"] is True
    assert "no model" in answer["error"]


def components(at):
    return [part.proto.component_name.rpartition(".")[2] for part in at.get("bidi_component")]


def test_the_camera_is_in_the_page_only_once_somebody_opens_it(run):
    at = open_page(PAGE)
    assert "live_camera" not in components(at)
    at.session_state["predict-way"] = "live"
    assert components(checked(at.run())).count("live_camera") == 1
    assert "predict-live-answer" not in at.session_state


def test_the_last_picture_can_be_taken_to_be_corrected(run):
    at = open_page(PAGE)
    at.session_state["predict-way"] = "live"
    at = press(checked(at.run()), "Take this picture")
    assert components(at).count("live_camera") == 1, "there is none yet"
    at.session_state["predict-live-picture"] = jpeg()
    at = press(at, "Take this picture")
    assert "camera\\.jpg" in texts(at)
    assert "It is" in [box.label for box in at.selectbox]
