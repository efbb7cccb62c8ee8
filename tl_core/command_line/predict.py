"""``predict`` and ``explain``: classify image files with the model of a run or a file; Grad-CAM of an image."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tl_core.backbones.record import Scaling
from tl_core.command_line.verb import BAD_INPUT, DONE, Output, writing
from tl_core.data.normalise import stored_pixels
from tl_core.errors import ConfigError, ImageError, ModelFileError
from tl_core.figures.heatmap import overlay
from tl_core.imported_models.check.manifest import names_in_lines
from tl_core.imported_models.importing import import_model
from tl_core.runs import find_run
from tl_core.storage.format import percent
from tl_core.storage.workspace import Workspace

if TYPE_CHECKING:
    from tl_core.inference.predict import Answer

_GUESSES: Final = {
    "unlike": "unlike anything it was taught (nearest to {0.nearest.label}); best guess: ",
    "unsure": "I don't know; best guess: ",
}
RANGES: Final[dict[str, Scaling]] = {"0-255": "built_in", "0-1": "zero_to_one", "pm1": "minus_one_to_one"}
SMALLEST: Final = 360  # px, of the longer edge of what is written; a small picture is enlarged


def predict(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Classify image files."""
    if options.model:
        paths = [Path(options.run), *options.images]  # no run is named, so the first word is an image, too
        asked, answers = _ask_file(options, paths)
    else:
        paths = options.images
        asked, answers = _ask_run(options, workspace, output)
    values: list[dict[str, Any]] = []
    lines: list[str] = []
    for path, answer in zip(paths, answers, strict=True):
        top = answer.ranked[: max(0, options.top)]
        values.append(
            {
                "image": str(path),
                "error": answer.error,
                "answer": answer.ranked[0][0] if answer.answered else None,
                "rejected": not answer.answered,
                "reason": answer.reason,
                "novelty": round(answer.novelty, 4),
                "nearest": answer.nearest and answer.nearest.label,
                "top": [{"class": name, "probability": round(probability, 6)} for name, probability in top],
                "seconds": round(answer.seconds, 4),
            }
        )
        named = ", ".join(f"{name} {percent(share)}" for name, share in top)
        guess = "" if answer.reason is None else _GUESSES.get(answer.reason, "").format(answer)
        lines.append(f"{path}: {answer.error or guess + named}")
    code = BAD_INPUT if any(answer.error for answer in answers) else DONE  # as grep does, which finds the rest
    return output.result({**asked, "predictions": values}, lines, code)


def _ask_run(
    options: argparse.Namespace, workspace: Workspace, output: Output
) -> tuple[dict[str, Any], list[Answer]]:
    run = find_run(workspace, options.run)
    if not options.images:
        raise ConfigError("There is no image to ask about: name at least one image file after the run.")
    files = _read_all(options.images)
    from tl_core.inference.predict import calibration_of, open_knowing, predict_images

    best = run.best and run.best.epoch
    epoch = None if options.epoch == best else options.epoch
    confidence = calibration_of(run, epoch)
    asked = {
        "run_id": run.id,
        "epoch": epoch or best,
        "temperature": confidence.temperature,
        "threshold": confidence.threshold,
        "accepted": confidence.accepted,
    }
    open_knowing(run.path, epoch, output.task)
    return asked, _answers(files, lambda images: predict_images(run.path, images, epoch))


def _read_all(paths: Sequence[Path]) -> list[bytes | str]:
    """The content of each file, or the sentence why it cannot be read.

    Raises:
        ImageError: none of them can be read.
    """
    files: list[bytes | str] = []
    for path in paths:
        try:
            files.append(read_image_file(path))
        except ImageError as error:
            files.append(str(error))
            if len(files) == len(paths) and all(isinstance(file, str) for file in files):
                raise
    return files


def _answers(files: Sequence[bytes | str], ask: Callable[[list[bytes]], list[Answer]]) -> list[Answer]:
    from tl_core.inference.predict import Answer

    found = iter(ask([file for file in files if isinstance(file, bytes)]))
    return [Answer((), 0.0, file) if isinstance(file, str) else next(found) for file in files]


def _ask_file(options: argparse.Namespace, paths: Sequence[Path]) -> tuple[dict[str, Any], list[Answer]]:
    images = _read_all(paths)
    try:
        names = names_in_lines(options.labels.read_text(encoding="utf-8")) if options.labels else None
    except (OSError, UnicodeError) as error:
        raise ModelFileError(
            f"The class names in {options.labels} cannot be read: give a text file in UTF-8."
        ) from error
    if not options.model.is_file():
        raise ModelFileError(f"The model file {options.model} cannot be read: check its name and its permissions.")
    with tempfile.TemporaryDirectory() as folder:
        model = import_model(Workspace(Path(folder)), options.model, options.model.name, names)
        if options.range:
            model = replace(model, scaling=RANGES[options.range])
        elif not model.scaling:
            raise ModelFileError(
                f"{options.model.name} does not say in which range it takes its images: give --range 0-1 (divided by "
                "255 before), pm1 (-1 to 1) or 0-255, as it was trained."
            )
        from tl_core.imported_models.model_server import answerer_of, close_imported_model
        from tl_core.inference.predict import predict_with

        try:
            answers = _answers(images, partial(predict_with, answerer_of(model)))
        finally:
            close_imported_model()
    said = {name: getattr(model, name) for name in ("name", "sha256", "temperature", "threshold")}
    return {**said, "classes": list(model.classes)}, answers


def read_image_file(path: Path) -> bytes:
    """The content of a file that the person has named.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {path} cannot be read: {error.strerror}.") from error


def explain(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    """Write the Grad-CAM of an image file over it, as a PNG."""
    run = find_run(workspace, options.run)
    if options.label is not None and options.label not in run.classes:
        raise ConfigError(f"The model knows no class “{options.label}”. It knows: {', '.join(run.classes)}.")
    label = None if options.label is None else run.classes.index(options.label)
    picture = stored_pixels(read_image_file(options.image), run.decoding)
    target: Path = options.output or Path(f"{options.image.stem}-explained.png")
    from tl_core.inference.grad_cam import open_grad_cam

    grad_cam = open_grad_cam(run.path)
    found = grad_cam.explain_picture(picture, label, options.block)
    with writing(target):
        target.write_bytes(overlay(picture, found.heat, max(SMALLEST, *picture.shape[:2])))
    name = run.classes[found.label]
    return output.result(
        {
            "run_id": run.id,
            "image": str(options.image),
            "class": name,
            "probability": round(found.probability, 6),
            "block": found.block,
            "blocks": list(grad_cam.blocks),
            "output": str(target),
        },
        [f"{target}: what speaks for {name} ({percent(found.probability)}), seen in {found.block}"],
    )
