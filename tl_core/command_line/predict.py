"""``predict``: ask a model about image files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tl_core.command_line.output import Output
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import BAD_INPUT, DONE, Verb
from tl_core.errors import ImageError
from tl_core.runs import find_run
from tl_core.workspace import Workspace


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path, help="an image file")
    parser.add_argument("--top", type=int, default=3, help="how many classes to name (3)")


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    files = [_read(path) for path in options.images]
    from tl_core.prediction import predict_images

    answers = predict_images(run.path, files)
    values: list[dict[str, Any]] = []
    lines: list[str] = []
    for path, answer in zip(options.images, answers, strict=True):
        top = answer.top(options.top)
        values.append(
            {
                "image": str(path),
                "error": answer.error,
                "top": [{"class": name, "probability": round(probability, 6)} for name, probability in top],
                "seconds": round(answer.seconds, 4),
            }
        )
        lines.append(f"{path}: {answer.error or ', '.join(f'{name} {100 * share:.1f} %' for name, share in top)}")
    output.result({"run_id": run.id, "predictions": values}, lines)
    return BAD_INPUT if all(answer.error for answer in answers) else DONE


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"The image {path} cannot be read: {error.strerror}.") from error


VERB = Verb("predict", "Classify image files with the model of a run.", _add_arguments, _run)
