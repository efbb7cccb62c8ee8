"""Whether twenty times the images take twenty times the time: seconds per image at three sizes."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any, Final

from benchmarks.results import Result
from benchmarks.session import Measured, Session
from benchmarks.synthetic import Kind, make_dataset
from benchmarks.training import estimate_of, train_with_engine
from tl_core.config import TrainingConfig
from tl_core.data import load_dataset
from tl_core.runs import read_events
from tl_core.runs.record import RunFolder
from tl_core.storage.files import read_json

COUNTS: Final = (1_000, 5_000, 20_000)
SIZE: Final = 64  # pixels: the time per image is small, so what grows with the number of images is seen
STORED: Final = 96  # pixels of the stored pictures
FILES: Final = 1000  # different pictures
EPOCHS: Final = 5


def run(session: Session) -> Iterator[Result]:
    """Measure the row."""
    counts = session.pick(COUNTS, (40, 80))
    config = TrainingConfig(epochs=EPOCHS, image_size=SIZE).to_dict()
    kinds = [Kind(images=count, different=min(count, FILES), width=STORED, height=STORED) for count in counts]
    paths = [make_dataset(session.store, kind).path for kind in kinds]
    rounds: list[list[Measured]] = []
    for _ in session.rounds():
        rooms = [session.workspace().root for _ in counts]
        rounds.append(
            [
                session.measure(
                    train_and_divide, dataset=path, workspace=room, config=config, calibrated=not session.quick
                )
                for path, room in zip(paths, rooms, strict=True)
            ]
        )
    per_image = [[float(one["per_image"]) for one in runs] for runs in rounds]
    table = ", ".join(
        f"{count:,}: {1000 * statistics.median(values):.2f} ms"
        for count, values in zip(counts, zip(*per_image, strict=True), strict=True)
    )
    yield Result(
        name="growth",
        program=session.program,
        title=f"growth, {' / '.join(f'{count:,}' for count in counts)} images: spread of the time per image",
        against="",
        target=15,
        unit="%",
        at_least=False,
        values=tuple(100 * (max(values) / min(values) - 1) for values in per_image),
        note=(
            f"EfficientNet-Lite0 at {SIZE} pixels, {EPOCHS} epochs. Time that grows with the images: resizing, the "
            "frozen backbone, and the epochs after the first; building, compiling and saving, which take the same "
            f"few seconds whatever the number, are left out. Medians per image: {table}."
        ),
        estimates=tuple(
            estimate_of(f"{count:,} images of {SIZE} px", [runs[index] for runs in rounds])
            for index, count in enumerate(counts)
        ),
    )


def train_and_divide(dataset: str, workspace: str, config: dict[str, Any], calibrated: bool) -> Measured:
    """Train with empty caches; seconds per image of what depends on the number of images."""
    from pathlib import Path

    measured = train_with_engine(dataset, workspace, config, calibrated)
    images = load_dataset(Path(dataset)).images
    epochs = measured["epochs"]["head"][1:]
    folder = RunFolder(Path(measured["run"]))
    seconds = resizing_seconds(folder) + len(images) / measured["trunk_rate"] + EPOCHS * statistics.median(epochs)
    return {
        "estimate": measured["estimate"],
        "per_image": seconds / len(images),
        "stages": read_json(folder.metrics_file)["seconds"],
    }


def resizing_seconds(folder: RunFolder) -> float:
    """Seconds from the first stage of the features to its last piece of progress: decoding and resizing."""
    events = read_events(folder.events_file)
    began = next(event["t"] for event in events if event["kind"] == "phase" and event["phase"] == "features")
    plain = [
        event for event in events
        if event["kind"] == "progress" and event["phase"] == "features" and not event["images_per_second"]
    ]  # fmt: skip
    return float(plain[-1]["t"] - began) if plain else 0.0
