"""``explain``: which places of an image speak for its class, as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Final

from tl_core.command_line.output import Output
from tl_core.command_line.predict import read_image_file
from tl_core.command_line.resume import add_run_argument
from tl_core.command_line.verb import DONE, Verb
from tl_core.data.normalise import normalise_image, read_image, resize_image
from tl_core.errors import ConfigError
from tl_core.figures.heatmap import overlay
from tl_core.runs import RunRecord, find_run
from tl_core.storage.workspace import Workspace

SMALLEST: Final = 360  # px, of the longer edge of what is written; a small picture is enlarged


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("image", metavar="IMAGE", type=Path, help="an image file")
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="the PNG to write; by default beside you, named after the image"
    )
    parser.add_argument("--class", dest="label", metavar="NAME", help="a class; by default the likeliest one")
    parser.add_argument(
        "--block", metavar="TITLE", help="which block of the backbone to look at; by default the last"
    )


def _run(options: argparse.Namespace, workspace: Workspace, output: Output) -> int:
    run = find_run(workspace, options.run)
    label = None if options.label is None else _label(run, options.label)
    picture = read_image(normalise_image(read_image_file(options.image)).encoded)
    target: Path = options.output or Path(f"{options.image.stem}-explained.png")
    from tl_core.inference.grad_cam import open_grad_cam

    explainer = open_grad_cam(run.path)
    found = explainer.explain(resize_image(picture, explainer.image_size), label, options.block)
    _write(target, overlay(picture, found.heat, max(SMALLEST, *picture.shape[:2])))
    name = run.classes[found.label]
    output.result(
        {
            "run_id": run.id,
            "image": str(options.image),
            "class": name,
            "probability": round(found.probability, 6),
            "block": found.block,
            "blocks": list(explainer.blocks),
            "output": str(target),
        },
        [f"{target}: what speaks for {name} ({100 * found.probability:.1f} %), seen in {found.block}"],
    )
    return DONE


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}): name another file with --output.") from error


def _label(run: RunRecord, name: str) -> int:
    if name not in run.classes:
        raise ConfigError(f"The model knows no class “{name}”. It knows: {', '.join(run.classes)}.")
    return run.classes.index(name)


VERB = Verb("explain", "Write an image with the places that speak for its class marked.", _add_arguments, _run)
