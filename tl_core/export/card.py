"""The model card: everything that a user of the file needs without the dashboard.

The parts follow Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019), https://arxiv.org/abs/1810.03993.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from tl_core.backbones.registry import BACKBONES
from tl_core.config import flatten
from tl_core.data.dataset import SPLITS, Dataset
from tl_core.errors import WorkspaceError
from tl_core.export.formats import ExportFormat
from tl_core.export.proof import Proof
from tl_core.inference.calibration import Calibration
from tl_core.runs import RunRecord, read_events
from tl_core.runs.progress import trained_config
from tl_core.storage.files import read_json
from tl_core.storage.format import percent

NAME: Final = "MODEL_CARD.md"
CURVES: Final = "curves.svg"  # beside it, `still_curves`
MOST_EPOCHS: Final = 25  # rows of the table of epochs


def model_card(
    run: RunRecord, dataset: Dataset, form: ExportFormat, proof: Proof, confidence: Calibration, image_size: int
) -> str:
    """Write the card as Markdown."""
    parts = (
        _head(run, form, image_size),
        _use(run, form, image_size, confidence),
        _proof(form, proof),
        _data(run, dataset),
        _results(run),
        _epochs(run),
        _settings(run),
        _limits(run, confidence),
    )
    return "\n".join(line for part in parts for line in part)


def _head(run: RunRecord, form: ExportFormat, image_size: int) -> Iterator[str]:
    backbone = BACKBONES.get(run.config.backbone)
    yield f"# {_plain(run.name)}"
    yield ""
    yield f"An image classifier with {len(run.classes)} classes, as {form.title}: `{form.model}`."
    if backbone:
        yield f"Backbone: {backbone.title}, [{backbone.paper_title}]({backbone.paper_url})."
    yield f"Input: {image_size} × {image_size} pixels. Trained: {(run.finished or run.created)[:10]}."
    yield ""


def _use(run: RunRecord, form: ExportFormat, image_size: int, confidence: Calibration) -> Iterator[str]:
    yield "## Use"
    yield ""
    yield "```"
    yield f"pip install {form.runtime.packages} pillow numpy"
    yield "python predict.py photo.jpg"
    yield "```"
    yield ""
    yield (
        f"The model takes raw RGB values 0–255 as float32, shape (n, {image_size}, {image_size}, 3): squeeze the "
        "whole image to that size (bilinear, antialiased). The scaling that the backbone wants is inside the file."
    )
    if run.config.head.output == "sigmoid":
        yield "It gives one number per image: the probability of the second label."
    else:
        yield "It gives one probability per label, in the order of `labels.txt`."
    if confidence.temperature != 1:
        yield f"`predict.py` divides the scores by {confidence.temperature:.3g}, as validation images have shown."
    if confidence.threshold:
        yield f"Below a probability of {confidence.threshold:.3g} `predict.py` answers *I don't know*."
    yield ""


def _proof(form: ExportFormat, proof: Proof) -> Iterator[str]:
    yield "## Proof"
    yield ""
    yield (
        f"Asked about {proof.images} validation images in a process of its own, `predict.py` gave the probabilities "
        f"of the dashboard with a largest difference of {proof.max_difference:.2g}, and got "
        f"{percent(proof.accuracy)} right (the dashboard: {percent(proof.app_accuracy)})."
    )
    if form.quantised:
        yield "Its numbers have fewer digits than those it was trained with, so small differences are expected."
    yield ""


def _data(run: RunRecord, dataset: Dataset) -> Iterator[str]:
    counts = dataset.counts()
    yield "## Data"
    yield ""
    yield f"“{_plain(run.dataset_name)}” ({_plain(dataset.source)}), fingerprint `{run.dataset_fingerprint[:16]}`."
    yield ""
    yield from _table(
        ("class", "training", "validation", "test"),
        [(_plain(name), *(str(counts[name][split]) for split in SPLITS)) for name in dataset.classes],
    )
    totals = [str(sum(row[split] for row in counts.values())) for split in SPLITS]
    yield f"| **all** | {' | '.join(totals)} |"
    yield ""
    yield (
        "The split came with the images."
        if dataset.given_splits
        else ("The split was drawn at random, with look-alikes kept on one side.")
    )
    yield ""


def _results(run: RunRecord) -> Iterator[str]:
    try:
        metrics: dict[str, Any] = read_json(run.folder.metrics_file)
    except (FileNotFoundError, WorkspaceError):
        metrics = {}
    rows = [
        (split, percent(metrics[split]["accuracy"]), f"{metrics[split]['loss']:.4f}")
        for split in ("validation", "test")
        if split in metrics
    ]
    yield "## Results"
    yield ""
    if run.best:
        yield f"Kept is epoch {run.best.epoch}, the one with the lowest validation loss ({run.best.val_loss:.4f})."
        yield ""
    if rows:
        yield from _table(("images", "accuracy", "loss"), rows)
        yield ""


def _epochs(run: RunRecord) -> Iterator[str]:
    epochs = [event for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
    if not epochs:
        return
    step = -(-len(epochs) // MOST_EPOCHS)
    shown = [event for place, event in enumerate(epochs) if place % step == 0 or event is epochs[-1]]
    yield f"![Accuracy and loss per epoch: training dashed, validation solid, the kept epoch as a dot]({CURVES})"
    yield ""
    yield "### Epochs" if step == 1 else f"### Epochs (every {step}th)"
    yield ""
    columns = ("loss", "accuracy", "val_loss", "val_accuracy")
    yield from _table(
        ("epoch", "loss", "accuracy", "validation loss", "validation accuracy"),
        [(str(event["epoch"]), *(f"{event[column]:.4f}" for column in columns)) for event in shown],
    )
    yield ""


def _settings(run: RunRecord) -> Iterator[str]:
    yield "## Settings"
    yield ""
    settings = flatten(trained_config(run).to_dict())
    yield from _table(("setting", "value"), [(name, _plain(str(value))) for name, value in settings.items()])
    yield ""
    if run.versions:
        yield "Trained with " + ", ".join(f"{name} {version}" for name, version in run.versions.items()) + "."
    if run.device:
        yield f"Device: {run.device}."
    yield ""


def _limits(run: RunRecord, confidence: Calibration) -> Iterator[str]:
    yield "## Limits"
    yield ""
    if not confidence.threshold:
        yield "- It always names one of its classes, also for a picture of something else."
    yield f"- It knows these classes alone: {', '.join(_plain(name) for name in run.classes)}."
    yield "- It was measured on images like those it learned from; others (camera, light, background) may go worse."
    yield (
        "- The dashboard shrinks photographs to a short side of 640 pixels before it squeezes them; `predict.py` "
        "squeezes them at once, which can move a probability a little."
    )
    yield "- Nobody has checked it for fairness between groups of people. Do not let it decide about people."
    yield ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _plain(text: str) -> str:
    """Text from outside, so that Markdown shows it as it is."""
    return "".join(f"\\{char}" if char in "\\`*_{}[]<>#|~" else char for char in text)
