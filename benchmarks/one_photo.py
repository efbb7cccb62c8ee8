"""One photograph of 12 megapixels: from the bytes of the file to the five most probable classes."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, draw_picture, encode, make_dataset
from benchmarks.training import train_with_engine
from tl_core.config import TrainingConfig

WIDTH, HEIGHT = 4000, 3000
TIMES: Final = 20  # answers per process; their median counts
SIZE: Final = 224


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    photo = session.folder / "photo.jpg"
    width, height = session.pick((WIDTH, HEIGHT), (400, 300))
    photo.write_bytes(encode(draw_picture(np.random.default_rng(1), 1, width, height), "JPEG", quality=90))
    dataset, size = make_dataset(session.store, Kind(images=40)), session.pick(SIZE, 32)
    config = TrainingConfig(epochs=1, image_size=size)
    trained = session.measure(
        train_with_engine, dataset=dataset.path, workspace=session.workspace().root, config=config.to_dict()
    )
    work = {"run": trained["run"], "photo": photo, "times": session.pick(TIMES, 2)}
    ours, theirs = [], []
    for _ in session.rounds():
        ours.append(session.measure(ask_predictor, **work))
        theirs.append(session.measure(ask_model, **work))
    yield from _rows(session, photo, ours, theirs)


def _rows(session: Session, photo: Path, ours: list[Measured], theirs: list[Measured]) -> Iterator[Result]:
    mine, hand = (tuple(1000 * float(one["whole"]) for one in runs) for runs in (ours, theirs))
    network, predict = (tuple(1000 * float(one["network"]) for one in runs) for runs in (ours, theirs))
    yield Result(
        name="photo",
        program=session.program,
        title="one 12-megapixel JPEG, from bytes to top-5",
        against="a hand-written pipeline with model.predict",
        target=5,
        unit="x",
        values=ratios(hand, mine),
        ours=mine,
        theirs=hand,
        measured_in="ms",
        note=(
            f"EfficientNet-Lite0, a JPEG of {photo.stat().st_size / 1e6:.1f} MB, both sides warm, median of "
            f"{TIMES} answers in each round. By hand: Pillow opens and shrinks it (keras.utils.load_img), then "
            f"model.predict, which alone takes {statistics.median(predict):.1f} ms."
        ),
    )
    yield Result(
        name="photo_network",
        program=session.program,
        title="the same: p50 of the network part",
        against="",
        target=20,
        unit="ms",
        at_least=False,
        values=network,
    )


def ask_predictor(run: str, photo: str, times: int) -> Measured:
    """Our predictor, warm."""
    from tl_core.data.normalise import resize_image, stored_pixels
    from tl_core.inference.predict import predict_images
    from tl_core.inference.predictor import open_predictor

    data, folder = Path(photo).read_bytes(), Path(run)
    predictor = open_predictor(folder)
    image = resize_image(stored_pixels(data), predictor.image_size)[np.newaxis]
    return {
        "whole": _median(times, lambda: predict_images(folder, [data])[0].ranked[:5]),
        "network": _median(times, lambda: predictor.predict(image)),
    }


def ask_model(run: str, photo: str, times: int) -> Measured:
    """The same model file, asked with Keras by hand."""
    import keras

    from tl_core.runs import load_run

    record, data = load_run(Path(run)), Path(photo).read_bytes()
    model = keras.models.load_model(record.folder.model_file)
    size = model.input_shape[1:3]

    def picture() -> Any:
        image = keras.utils.load_img(io.BytesIO(data), target_size=size, interpolation="bilinear")
        return keras.utils.img_to_array(image)[np.newaxis]

    def answer() -> list[tuple[str, float]]:
        probabilities = model.predict(picture(), verbose=0)[0]
        return [(record.classes[index], float(probabilities[index])) for index in np.argsort(-probabilities)[:5]]

    image = picture()
    return {"whole": _median(times, answer), "network": _median(times, lambda: model.predict(image, verbose=0))}


def _median(times: int, work: Callable[[], Any]) -> float:
    """Seconds of one call, the first left out."""
    seconds = []
    for _ in range(times + 1):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])
