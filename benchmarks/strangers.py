"""Which measure tells a picture of something else: the study behind *unlike anything it was taught*.

``python -m benchmarks.strangers`` trains *Fast* on some classes of the sample sets, asks about the others, about
noise and about photographs, and prints a table of how many of these each measure refuses where it takes 95 % of the
known images. The limit comes from validation images, the known images are test images. ``--output FILE`` writes it.

The measures: the highest probability (Hendrycks and Gimpel, ICLR 2017, arXiv 1610.02136), the distance to the nearest
class with one covariance for all (Mahalanobis; Lee et al., NeurIPS 2018, arXiv 1807.03888), and the distance to the
nearest training image (Sun et al., ICML 2022, arXiv 2204.06507) in the last feature map, in the quarters of an
earlier one, and in both, as the app does it.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.config.presets import DEFAULT_PRESET, PRESETS
from tl_core.data import import_uploads
from tl_core.data.dataset import Dataset
from tl_core.data.samples import import_sample
from tl_core.inference.novelty import fit_novelty
from tl_core.runs import RunRecord, create_run, load_run
from tl_core.storage.workspace import Workspace

Numbers = npt.NDArray[Any]

ACCEPTED: Final = 0.95  # of the known images
ASKED: Final = 250  # strangers of one kind, at most
NOISE: Final = 50  # pictures
TASKS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "digits 0-4": ("digits", ("0", "1", "2", "3", "4")),
    "digits 5-9": ("digits", ("5", "6", "7", "8", "9")),
    "brick, grass": ("surfaces", ("brick", "grass")),
    "brick, gravel": ("surfaces", ("brick", "gravel")),
}
"""What a model is taught: a sample set, and those of its classes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a model makes of some images."""

    probabilities: Numbers  # (n, classes)
    last: Numbers  # (n, channels), each of length 1: the last map
    earlier: Numbers  # (n, 4 * channels), each of length 1: the quarters of an earlier one
    both: Numbers  # (n, values), of length 1

    def of(self, rows: Numbers) -> Seen:
        """Some of them."""
        return Seen(self.probabilities[rows], self.last[rows], self.earlier[rows], self.both[rows])


@dataclass(frozen=True, slots=True)
class Taught:
    """What is known when the limit is set."""

    train: Seen
    labels: Numbers
    held_out: Seen  # validation images


Measure = Callable[[Taught, Seen], Numbers]
"""How unlike each image is; any scale."""


def improbable(_taught: Taught, seen: Seen) -> Numbers:
    """The highest probability, from 1."""
    return np.asarray(1 - seen.probabilities.max(axis=1))


def mahalanobis(taught: Taught, seen: Seen) -> Numbers:
    """The distance to the nearest class's mean, with the shrunk covariance of all."""
    from sklearn.covariance import LedoitWolf

    means = np.stack([taught.train.last[taught.labels == label].mean(axis=0) for label in np.unique(taught.labels)])
    inner = LedoitWolf(assume_centered=True).fit(taught.train.last - means[taught.labels]).precision_
    away = seen.last[:, None] - means
    return np.asarray(np.einsum("ncv,vw,ncw->nc", away, inner, away, optimize=True).min(axis=1))


def nearest(part: str) -> Measure:
    """The distance to the nearest training image in some of the features."""

    def measure(taught: Taught, seen: Seen) -> Numbers:
        known, asked = getattr(taught.train, part), getattr(seen, part)
        return np.asarray(1 - (asked @ known.T).max(axis=1))

    return measure


def as_the_app_does(taught: Taught, seen: Seen) -> Numbers:
    """`tl_core.inference.novelty`: the nearest in both, each in its unit, of 64 principal components and the rest."""
    names = [str(row) for row in range(len(taught.labels))]
    depths = [taught.train.last.shape[1], taught.train.earlier.shape[1]]
    known = fit_novelty(taught.train.both, taught.labels, names, taught.held_out.both, "", depths)
    return known.measure(seen.both)[0]


MEASURES: Final[Mapping[str, Measure]] = {
    "highest probability": improbable,
    "Mahalanobis, last map": mahalanobis,
    "nearest image, last map": nearest("last"),
    "nearest image, earlier map": nearest("earlier"),
    "nearest image, both as they are": nearest("both"),
    "nearest image, both (the app)": as_the_app_does,
}


def study(workspace: Workspace, task: str, most: int = ASKED) -> dict[str, dict[str, float]]:
    """The shares refused by each measure, by the kind of picture; of known images, too.

    Args:
        task: of `TASKS`.
        most: images of each kind that are asked about.
    """
    sample, names = TASKS[task]
    whole = import_sample(workspace, sample)
    by_class = _files(whole)
    dataset = import_uploads(workspace, {name: by_class[name] for name in names}, task)
    run = _trained(workspace, dataset)
    labels = np.array([record.label for record in dataset.of_split("train")])
    held_out = _look(run, _stored(dataset, "validation"))
    taught = Taught(_look(run, _stored(dataset, "train")), labels, held_out)
    asked = {
        "known": _stored(dataset, "test"),
        "other classes": _some([data for name in by_class if name not in names for _, data in by_class[name]], most),
        "noise": [_noise(seed) for seed in range(min(NOISE, most))],
        "photographs": _photographs(),
    }
    found: dict[str, dict[str, float]] = {name: {} for name in MEASURES}
    for kind, files in asked.items():
        seen = _look(run, files)
        for name, measure in MEASURES.items():
            distances = np.sort(measure(taught, held_out))
            limit = distances[min(len(distances), int(np.ceil(ACCEPTED * (len(distances) + 1)))) - 1]
            found[name][kind] = float(np.mean(measure(taught, seen) > limit))
    return found


def _files(dataset: Dataset) -> dict[str, list[tuple[str, bytes]]]:
    found: dict[str, list[tuple[str, bytes]]] = {name: [] for name in dataset.classes}
    for record in dataset.images:
        found[dataset.classes[record.label]].append((record.source_name, dataset.path_of(record).read_bytes()))
    return found


def _stored(dataset: Dataset, split: str) -> list[bytes]:
    return [dataset.path_of(record).read_bytes() for record in dataset.of_split(split)]


def _some(files: Sequence[bytes], most: int) -> list[bytes]:
    order = np.random.default_rng(0).permutation(len(files))[:most]
    return [files[place] for place in order]


def _trained(workspace: Workspace, dataset: Dataset) -> RunRecord:
    from tl_core.training import train

    run = create_run(workspace, PRESETS[DEFAULT_PRESET].config, dataset)
    train(run.config, dataset.path, run.path, lambda: False)
    return load_run(run.path)


def _look(run: RunRecord, files: Sequence[bytes]) -> Seen:
    from tl_core.inference.predictor import open_predictor

    predictor = open_predictor(run.path)
    pieces = [
        predictor.look(np.stack([predictor.reading.of_file(data) for data in files[start : start + 32]]))
        for start in range(0, len(files), 32)
    ]
    probabilities = np.concatenate([one for one, _ in pieces])
    both = np.concatenate([seen for _, seen in pieces if seen is not None])
    last = both[:, : _channels(run)]
    return Seen(probabilities, _unit(last), _unit(both[:, last.shape[1] :]), both)


def _channels(run: RunRecord) -> int:
    from tl_core.backbones.outline import feature_shape
    from tl_core.backbones.registry import get_backbone

    return feature_shape(get_backbone(run.config.backbone), run.config.image_size)[-1]


def _unit(values: Numbers) -> Numbers:
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12))


def _noise(seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    fine = int(rng.integers(4, 128))  # grains across
    grains = Image.fromarray(rng.integers(0, 256, (fine, fine, 3), dtype=np.uint8))
    return _png(grains.resize((128, 128), Image.Resampling.NEAREST))


def _photographs() -> list[bytes]:
    from skimage import data

    names = ("astronaut", "camera", "chelsea", "coffee", "coins", "rocket", "clock", "moon")
    return [_png(Image.fromarray(getattr(data, name)()).convert("RGB")) for name in names]


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def as_markdown(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """The table of all tasks."""
    kinds = list(next(iter(next(iter(found.values())).values())))
    lines = [f"| taught | measure | {' | '.join(kinds)} |", f"|{'---|' * (len(kinds) + 2)}"]
    for task, measures in found.items():
        for name, shares in measures.items():
            cells = " | ".join(f"{shares[kind]:.0%}" for kind in kinds)
            lines.append(f"| {task} | {name} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Print the table, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=ASKED, help=f"images of each kind ({ASKED})")
    parser.add_argument("--output", type=Path, help="file of the table")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder)).ensure()
        table = as_markdown({task: study(workspace, task, options.most) for task in TASKS})
    print(table)
    if options.output:
        options.output.write_text(f"{table}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
