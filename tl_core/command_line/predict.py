"""``predict``: ask a model about image files."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_core.command_line.output import Output
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import BAD_INPUT, DONE, Verb
from tl_core.errors import ImageError
from tl_core.runs import find_run
from tl_core.workspace import Workspace

if TYPE_CHECKING:
    from tl_core.prediction import ImagePrediction


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="an image file")
    parser.add_argument(
        "--epoch", type=int, metavar="N", help="an epoch that the run has kept; by default the best one"
    )
    parser.add_argument("--top", type=int, default=3, help="how many classes to name (3)")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    files = [read_image_file(path) for path in options.images]
    from tl_core.prediction import confidence_of, predict_images

    best = run.best is not None and options.epoch == run.best.epoch
    epoch = None if best else options.epoch
    confidence = confidence_of(run, epoch)
    answers = predict_images(run.path, files, epoch)
    values: list[dict[str, Any]] = []
    lines: list[str] = []
    for path, answer in zip(options.images, answers, strict=True):
        top = answer.top(options.top)
        values.append(
            {
                "image": str(path),
                "error": answer.error,
                "answer": top[0][0] if answer.answered else None,
                "top": [{"class": name, "probability": round(probability, 6)} for name, probability in top],
                "seconds": round(answer.seconds, 4),
            }
        )
        lines.append(f"{path}: {_in_words(answer, top)}")
    chosen = {"temperature": confidence.temperature, "threshold": confidence.threshold}
    output.result(
        {"run_id": run.id, "epoch": epoch or (run.best and run.best.epoch), **chosen, "predictions": values}, lines
    )
    return BAD_INPUT if all(answer.error for answer in answers) else DONE


def _in_words(answer: ImagePrediction, top: Sequence[tuple[str, float]]) -> str:
    if answer.error:
        return answer.error
    named = ", ".join(f"{name} {100 * share:.1f} %" for name, share in top)
    return named if answer.answered else f"I don't know; best guess: {named}"


def read_image_file(path: Path) -> bytes:
    """The content of a file that the person has named.

    Raises:
        ImageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {path} cannot be read: {error.strerror}.") from error


VERB = Verb("predict", "Classify image files with the model of a run.", _add_arguments, _run)
