"""From a finished run to a checked export in its folder: build, predict, compare, describe, pack."""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from tl_core.backbones.registry import BACKBONES
from tl_core.config import flatten
from tl_core.config.validation import from_mapping
from tl_core.data import decoding
from tl_core.data.dataset import SPLITS, Dataset, ImageRecord
from tl_core.data.normalise import Reading
from tl_core.errors import (
    ConfigError,
    DatasetNotFoundError,
    ExportError,
    ModelUnavailableError,
    NotEnoughDataError,
    WorkspaceError,
)
from tl_core.export.browser.library import TENSORFLOW_JS, ensure_library
from tl_core.export.browser.page import Check, Content, write_page
from tl_core.export.building import exported_novelty, spread
from tl_core.export.formats import FORMATS, ExportFormat, get_format, missing_packages
from tl_core.export.picture_kinds import write_picture_kinds
from tl_core.export.processes import build_file, predict_with
from tl_core.export.proof import Novelties, Proof, compare_novelty, compare_predictions, images_for
from tl_core.export.rendering import render
from tl_core.figures.history import History
from tl_core.figures.still_curves import still_curves
from tl_core.imported_models.check.manifest import LABELS, MANIFEST, Manifest
from tl_core.inference.calibration import Calibration, apply_temperature, load_calibration
from tl_core.inference.novelty import Novelty
from tl_core.machine.progress import UNATTENDED, Progress, TaskContext
from tl_core.runs import RunRecord, dataset_of, load_run, read_events
from tl_core.runs.progress import trained_config
from tl_core.runs.store import now
from tl_core.storage.files import read_json, replacing, write_json
from tl_core.storage.workspace import short_id

logger = logging.getLogger(__name__)

KNOWN: Final = "known.npz"  # in the zip: what the model was taught
FOLDER: Final = "exports"  # in the run's folder
FITS: Final = {
    "squeeze": "the whole picture, squeezed",
    "border": "the whole picture with a border",
    "crop": "its middle",
}
CHECKED: Final = ("still.webp", "white-on-nothing.png", "noise.png")
"""Pictures that a page compares its answers to when it is opened: small, and the same pixels in every browser."""
MOST_EPOCHS: Final = 25  # rows of the model card's table of epochs

_MAKING: Final = ".making-"  # what the name of a folder begins with in which an export is made
_ABANDONED: Final = 6 * 3600.0  # seconds after which no export can still be in progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One export of a run, proven or refused."""

    format: str  # key of `FORMATS`
    path: Path  # of the zip; not there if the proof failed
    proof: Proof
    model_sha256: str  # of the model it was made from
    temperature: float  # that its program applies
    threshold: float
    made: str  # ISO 8601, UTC
    size: int  # bytes of the zip; 0 if the proof failed
    accepted: float | None = None  # share of known things that it does not refuse; of older exports unknown

    @property
    def file_name(self) -> str:
        """A name for the download; ids are plain letters, digits and dashes."""
        return f"{short_id(self.path.parent.parent.name)}-{self.format}.zip"


def export_run(run_path: Path, format_name: str, task: TaskContext = UNATTENDED) -> Export:
    """Build one format from a run's model, check it, and store it in the run's folder.

    The zip has the model, ``labels.txt``, the program ``predict.py`` and a model card with the curves. The proof: in
    a process of its own, that very program reads validation images and has to predict what the dashboard predicts.

    Args:
        run_path: folder of the run.
        format_name: key of `FORMATS`.
        task: told about twice a stage how much of 1 is done; checked several times a second. What was built is thrown
            away when it is stopped.

    Returns:
        The export; where it differs from the dashboard, ``proof.failure`` has the reason and there is no zip.

    Raises:
        ExportError: there is no such format, a package is missing, or the model cannot be converted.
        ModelUnavailableError: the run has no finished model, or its file is damaged.
        DatasetNotFoundError: the dataset of the run was deleted, so nothing can be checked.
        NotEnoughDataError: it has no validation images.
        StoppedError: a stop was requested.
    """
    run, form = load_run(run_path), get_format(format_name)
    if missing_packages(form):
        raise ExportError(form.install)
    if run.active:
        raise ModelUnavailableError(f"“{run.name}” has no finished model yet: wait until its training has ended.")
    if not run.has_model:
        raise ModelUnavailableError(f"“{run.name}” ended without a model, so there is nothing to export.")
    if form.page:
        ensure_library(run.workspace, _downloading(task))
    material = _material(run, form, task)
    folder = run.path / FOLDER
    folder.mkdir(exist_ok=True)
    for left in folder.glob(f"{_MAKING}*"):  # by a server that was ended in the middle of an export
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_MAKING, dir=folder) as temporary:
        content = Path(temporary) / "content"
        content.mkdir()
        proof = _make(material, form, content, task)
        return _keep(material, form, proof, content)


def _downloading(task: TaskContext) -> TaskContext:
    """The task while what a page needs is downloaded, as a part of the export."""

    tenths: set[int] = set()

    def report(at: Progress) -> None:
        tenth = int(10 * at.fraction)
        if tenth not in tenths:  # the command line prints each report
            tenths.add(tenth)
            task.report(tenth / 200, 1, f"Downloading {TENSORFLOW_JS.title} ({at.total / 1e6:.0f} MB, once)")

    return TaskContext(report, task.should_stop)


def list_exports(run: RunRecord) -> dict[str, Export]:
    """What was exported from this very model with the temperature and threshold of today, by format."""
    confidence = load_calibration(run.folder, run.model_sha256)
    found = ((name, _read(run, name)) for name in FORMATS)
    return {
        name: export
        for name, export in found
        if export is not None
        and export.model_sha256 == run.model_sha256
        and (export.temperature, export.threshold) == (confidence.temperature, confidence.threshold)
        and export.accepted in (None, confidence.accepted)
        and (export.path.is_file() or not export.proof.passed)
    }


@dataclass(frozen=True, slots=True)
class _Material:
    """What an export is made from and held against."""

    run: RunRecord
    dataset: Dataset
    records: list[ImageRecord]  # validation images to predict
    labels: npt.NDArray[np.int64]  # as the model counts its classes
    confidence: Calibration
    known: Novelty | None  # what the model was taught, if it is to refuse what is unlike that


def _material(run: RunRecord, form: ExportFormat, task: TaskContext) -> _Material:
    try:
        dataset = dataset_of(run)
    except DatasetNotFoundError as error:
        raise DatasetNotFoundError(
            f"The dataset “{run.dataset_name}” of this run was deleted, so there are no validation images to "
            "prove an export with: import it again and train again, or download best.keras as it is."
        ) from error
    records = spread(dataset.of_split("validation"), images_for(form))
    if not records:
        raise NotEnoughDataError(
            f"The dataset “{dataset.name}” has no validation images, so an export cannot be proven: import it "
            "again with a share for validation."
        )
    order = {name: index for index, name in enumerate(run.classes)}
    labels = np.array([order.get(dataset.classes[record.label], -1) for record in records], np.int64)
    from tl_core.inference.novelty_learning import novelty_of  # TensorFlow

    task.report(0.0, 1, "Looking at what the model was taught")
    novelty_of(run.path, task=task.without_progress())
    confidence = load_calibration(run.folder, run.model_sha256)
    return _Material(run, dataset, records, labels, confidence, exported_novelty(run))


def _make(material: _Material, form: ExportFormat, content: Path, task: TaskContext) -> Proof:
    """Fill the folder ``content`` with what the zip has; returns how the file compares with the dashboard's model."""
    from tl_core.inference.predictor import open_predictor  # TensorFlow

    run, dataset, confidence = material.run, material.dataset, material.confidence
    task.report(0.05, 1, f"Building the file for {form.title}")
    build_file(run, form, content / form.model, task)
    task.report(0.5, 1, f"Asking the dashboard's model about {len(material.records)} validation images")
    predictor = open_predictor(run.path)
    reading, paths = predictor.reading, [dataset.path_of(record) for record in material.records]
    kinds = write_picture_kinds(content.parent / "pictures")
    others = [*kinds, _draw_noise(content.parent / "noise.png")]
    # All as files from outside, as the program takes them: to a stored JPEG it does once more what storing has done.
    images = [reading.of_file(path.read_bytes()) for path in [*paths, *others]]
    app, features = predictor.look(np.stack(images))
    task.report(0.6, 1, f"Loading the file afresh and asking it about the same {len(paths)} images")
    (content / LABELS).write_text("".join(f"{name}\n" for name in run.classes), encoding="utf-8")
    _write_program(material, form, reading, content)
    answers, novelties = predict_with(form, content, [*paths, *others], task)
    expected, measured = apply_temperature(app, confidence.temperature), None
    proof = compare_predictions(form, expected[:-1], answers[:-1], material.labels)
    if material.known is not None and features is not None:
        limit = material.known.limit(confidence.accepted)
        measured = np.asarray(material.known.measure(features)[0] / limit, np.float32)
        proof = _prove_refusals(material, form, content, proof, (measured, novelties))
        if proof.refuses_noise is None:
            _write_program(replace(material, known=None), form, reading, content)
    task.report(0.95, 1, "Packing")
    if form.page:
        told = dict(zip([path.name for path in others], range(len(paths), len(images)), strict=True))
        checks = [
            Check(
                picture=others[told[name] - len(paths)].read_bytes(),
                probabilities=expected[told[name]],
                novelty=None if measured is None else float(measured[told[name]]),
            )
            for name in CHECKED
        ]
        _write_page(material, form, reading, checks, content)
    _describe(material, form, reading, proof, content)
    return proof


def _write_page(
    material: _Material, form: ExportFormat, reading: Reading, checks: Sequence[Check], content: Path
) -> None:
    """The page that uses the model in a browser."""
    run = material.run
    known = Content(
        name=run.name,
        classes=run.classes,
        made=(run.finished or run.created)[:10],
        reading=reading,
        sigmoid=run.config.head.output == "sigmoid",
        calibration=material.confidence,
        known=material.known,
        checks=checks,
    )
    write_page(content / form.page, content / form.model, ensure_library(run.workspace), known)


def _describe(material: _Material, form: ExportFormat, reading: Reading, proof: Proof, content: Path) -> None:
    """What stands beside the model: a manifest, its card and its curves."""
    run, dataset, confidence = material.run, material.dataset, material.confidence
    # For a program: with it another dashboard opens the Keras export without a question.
    manifest = Manifest(
        name=run.name,
        classes=run.classes,
        image_size=reading.size,
        fit=reading.fit,
        decoding=reading.decoding,
        model_sha256=run.model_sha256 if form.name == "keras" else None,
        temperature=confidence.temperature,
        threshold=confidence.threshold,
        backbone=run.config.backbone,
        trained=run.finished or run.created,
        made_with=", ".join(f"{name} {version}" for name, version in run.versions.items()),
    )
    (content / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")
    described = model_card(run, dataset, form, proof, confidence, reading.size)
    (content / "MODEL_CARD.md").write_text(described, encoding="utf-8")
    curves = still_curves(History().add(read_events(run.folder.events_file)))
    (content / "curves.svg").write_text(curves, encoding="utf-8")


def _prove_refusals(
    material: _Material, form: ExportFormat, content: Path, proof: Proof, told: tuple[Novelties, Novelties]
) -> Proof:
    """Compare what is refused: by the dashboard, and by the file. One that is too coarse for it may answer all."""
    app, export = told
    if form.quantised:  # its features have fewer digits, so its own distances give the limit
        export = _set_limit(material, export, content)
    compared = compare_novelty(form, proof, app, export)
    if compared.passed or not (proof.passed and form.may_answer_all):
        return compared
    (content / KNOWN).unlink()
    return proof


def _write_program(material: _Material, form: ExportFormat, reading: Reading, content: Path) -> None:
    """The program that uses the file, and beside it what the model was taught."""
    run, known, taps = material.run, material.known, None
    if known is not None:
        if form.name == "keras":
            from tl_core.models.classifier import split_classifier  # TensorFlow
            from tl_core.models.load import load_stored
            from tl_core.models.taps import taps_of

            taps = taps_of(run.config.backbone, split_classifier(load_stored(run)))
        _write_known(known, known.limit(material.confidence.accepted), content)
    program = render(
        form.program,
        form=form,
        reading=reading,
        sigmoid=run.config.head.output == "sigmoid",
        confidence=material.confidence,
        known=known is not None,
        taps=taps,
    )
    (content / "predict.py").write_text(program, encoding="utf-8")
    shutil.copyfile(decoding.__file__, content / "pictures.py")


def _write_known(known: Novelty, limit: float, content: Path) -> None:
    np.savez(
        content / KNOWN,
        mean=known.mean,
        scale=known.scale,
        components=known.components,
        rows=known.rows,
        labels=known.labels,
        limit=np.float32(limit),
    )


def _set_limit(material: _Material, novelties: Novelties, content: Path) -> Novelties:
    """Write the limit that the exported file's own distances of validation images give; returns them against it."""
    assert material.known is not None  # noqa: S101  # the caller has looked
    limit = material.known.limit(material.confidence.accepted)
    distances = np.sort(novelties[: len(material.records)] * limit)
    own = replace(material.known, held_out=distances).limit(material.confidence.accepted)
    _write_known(material.known, max(limit, own), content)
    return np.asarray(novelties * limit / max(limit, own), np.float32)


def _draw_noise(path: Path) -> Path:
    """A picture that shows nothing."""
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def model_card(
    run: RunRecord, dataset: Dataset, form: ExportFormat, proof: Proof, confidence: Calibration, image_size: int
) -> str:
    """Everything that a user of the file needs without the dashboard, as Markdown."""
    try:
        metrics: dict[str, Any] = read_json(run.folder.metrics_file)
    except (FileNotFoundError, WorkspaceError):
        metrics = {}
    epochs = [event for event in read_events(run.folder.events_file) if event["kind"] == "epoch"]
    step = max(1, -(-len(epochs) // MOST_EPOCHS))
    return render(
        "MODEL_CARD.md.jinja",
        run=run,
        dataset=dataset,
        form=form,
        proof=proof,
        confidence=confidence,
        size=image_size,
        fit=FITS[run.config.fit],
        backbone=BACKBONES.get(run.config.backbone),
        splits=SPLITS,
        counts=dataset.counts(),
        metrics={split: metrics[split] for split in ("validation", "test") if split in metrics},
        epochs=[event for place, event in enumerate(epochs) if place % step == 0 or event is epochs[-1]],
        step=step,
        settings=flatten(trained_config(run).to_dict()),
    )


def _keep(material: _Material, form: ExportFormat, proof: Proof, content: Path) -> Export:
    run, confidence = material.run, material.confidence
    path = run.path / FOLDER / f"{form.name}.zip"
    if proof.passed:
        with (
            replacing(path) as packing,
            zipfile.ZipFile(packing, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        ):
            for file in sorted(content.rglob("*")):
                if file.is_file():
                    packed.write(file, file.relative_to(content))
    else:
        path.unlink(missing_ok=True)
    values = {
        "format": form.name,
        "proof": asdict(proof),
        "model_sha256": run.model_sha256,
        "temperature": confidence.temperature,
        "threshold": confidence.threshold,
        "accepted": confidence.accepted,
        "made": now(),
        "size": path.stat().st_size if proof.passed else 0,
    }
    write_json(path.with_suffix(".json"), values)
    return _export(path, values)


def _read(run: RunRecord, name: str) -> Export | None:
    path = run.path / FOLDER / f"{name}.zip"
    try:
        return _export(path, read_json(path.with_suffix(".json")))
    except FileNotFoundError:
        return None
    except (WorkspaceError, ConfigError, TypeError, KeyError) as error:
        logger.warning("What is known about an export cannot be read, so it has to be made again: %s", error)
        return None


def _export(path: Path, values: dict[str, Any]) -> Export:
    return from_mapping(Export, {**values, "path": path, "proof": from_mapping(Proof, values["proof"])})
