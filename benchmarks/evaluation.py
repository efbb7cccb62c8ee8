"""A finished model: asked about 2,000 images, against the trunk alone, and asked where it looked."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.results import Result, ratios
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset, share_dataset
from benchmarks.training import train_with_engine
from benchmarks.trunk_throughput import BATCH, compiled_trunk
from tl_core.config import TrainingConfig
from tl_core.data import Dataset

PASS: Final = 256  # images through the trunk alone, whose speed stands for all of them
LOOKS: Final = 20  # heatmaps per process; their median counts


def run(session: Session) -> Iterator[Result]:
    """Measure the rows."""
    kept, size = make_dataset(session.store, Kind(images=session.pick(2000, 40))), session.pick(224, 32)
    config = TrainingConfig(epochs=1, image_size=size)
    whole, warm, trunk, looks = [], [], [], []
    for number in session.rounds():
        # A training leaves the images at the model's size on the disk, and one model serves all rounds.
        if number == 0:
            dataset = share_dataset(kept, session.workspace())
            place = {"dataset": dataset.path, "workspace": dataset.workspace.root}
            trained = session.measure(train_with_engine, **place, config=config.to_dict())
        images = session.pick(PASS, BATCH)
        speed = session.measure(
            compiled_trunk, backbone=config.backbone, size=size, images=images, precision="float32"
        )
        asked = session.measure(evaluate_all, run=trained["run"], dataset=dataset.path)
        looked = session.measure(look, run=trained["run"], dataset=dataset.path, times=session.pick(LOOKS, 2))
        trunk.append(len(dataset.images) / float(speed["images_per_second"]))
        whole.append(float(asked["opening"]) + float(asked["asking"]))
        warm.append(float(asked["asking"]))
        looks.append(float(looked["milliseconds"]))
    yield from _rows(session, dataset, tuple(whole), tuple(warm), tuple(trunk))
    yield _look_row(session, tuple(looks))


def _rows(
    session: Session,
    dataset: Dataset,
    whole: tuple[float, ...],
    warm: tuple[float, ...],
    trunk: tuple[float, ...],
) -> Iterator[Result]:
    for name, title, ours in (
        ("evaluation", f"evaluation of {len(dataset.images):,} images, frozen EfficientNet-Lite0", warm),
        ("evaluation_opening", "the same, with the opening of the model", whole),
    ):
        yield Result(
            name=name,
            program=session.program,
            title=title,
            against="the trunk's time for as many images",
            target=1.3,
            unit="x",
            at_least=False,
            values=ratios(ours, trunk),
            ours=ours,
            theirs=trunk,
            note=(
                "Every image of the dataset, from the kept images of the model's size to all figures; both sides in "
                f"float32. The trunk's time is that of {PASS} images, for all of them."
                if name == "evaluation"
                else "Opening reads the model's file and compiles it, once as long as the server runs."
            ),
        )


def _look_row(session: Session, looks: tuple[float, ...]) -> Result:
    return Result(
        name="heat_map",
        program=session.program,
        title="one heat-map (Grad-CAM), EfficientNet-Lite0 at 224 px",
        against="",
        target=150,
        unit="ms",
        at_least=False,
        values=looks,
        note=f"The last block, model in memory, after a first look that is not counted; median of {LOOKS} looks.",
    )


def evaluate_all(run: str, dataset: str) -> Measured:
    """Ask a run's model about every image of a dataset; seconds of opening the model and of everything else."""
    from tl_core.evaluation.evaluate import ALL, evaluate_run
    from tl_core.inference.predictor import open_predictor

    folder = Path(run)
    (folder / f"evaluation-{ALL}.npz").unlink(missing_ok=True)  # of the round before
    began = time.perf_counter()
    open_predictor(folder)
    opened = time.perf_counter()
    evaluate_run(folder, Path(dataset), ALL)
    return {"opening": opened - began, "asking": time.perf_counter() - opened}


def look(run: str, dataset: str, times: int) -> Measured:
    """Milliseconds of one heatmap, the median of some."""
    from tl_core.data import load_dataset, read_image, resize_image
    from tl_core.inference.grad_cam import open_grad_cam

    grad_cam, images = open_grad_cam(Path(run)), load_dataset(Path(dataset))
    record = images.images[0]
    image = resize_image(read_image(images.path_of(record)), grad_cam.image_size)
    seconds = []
    for label in range(times + 1):
        began = time.perf_counter()
        grad_cam.explain(image, label % len(images.classes))
        seconds.append(time.perf_counter() - began)
    return {"milliseconds": 1000 * statistics.median(seconds[1:])}
