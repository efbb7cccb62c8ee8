"""A configuration as a program that needs none of this code: Keras alone, as a script or as a Jupyter notebook."""

from __future__ import annotations

import inspect
import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.backbones.outline import load_outline
from tl_core.backbones.registry import get_backbone
from tl_core.config import TrainingConfig
from tl_core.config.format_settings import backbone_title
from tl_core.config.phases import phases_of
from tl_core.data import decoding as decoding_module
from tl_core.data.decoding import DECODING
from tl_core.errors import ConfigError
from tl_core.export.rendering import render
from tl_core.storage.workspace import is_id

WIDTH: Final = 110  # characters of a line of comment

# Width and depth against EfficientNet-B0, as in `tl_core.backbones.efficientnet_lite`.
_LITE_FACTORS: Final = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite1": (1.0, 1.1),
    "efficientnet_lite2": (1.1, 1.2),
}

# A script takes the folder of the images as its argument.
_FOLDER: Final = 'DATA = Path("data")'
_FOLDER_OR_ARGUMENT: Final = 'DATA = Path(sys.argv[1] if len(sys.argv) > 1 else "data")'


_ONCE: Final = frozenset({"Packages", "Reading pictures"})  # the same for all members of an ensemble
_KEPT: Final = """classifier.set_weights(best.weights)
member_{number} = keras.Model(classifier.input, classifier.output, name="member_{number}")"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One part of a program: a title, a text, and the code."""

    title: str
    text: str
    code: str


def write_program(
    config: TrainingConfig,
    classes: Sequence[str],
    decoding: int = DECODING,
    members: Sequence[TrainingConfig] = (),
) -> list[Cell]:
    """Write a configuration as code that trains the same model in the same way, in the order in which it runs.

    Args:
        config: what to do.
        classes: class names, in the order of the model's outputs.
        decoding: how the files of the dataset were decoded, see `tl_core.data.decoding.DECODING`.
        members: of an ensemble, besides `config`; they are trained one after the other.

    Raises:
        ConfigError: a configuration names an unknown backbone, or more frozen layers than it has.
    """
    if not members:
        return _write(config, classes, decoding)
    cells: list[Cell] = []
    for number, member in enumerate((config, *members), start=1):
        for cell in _write(member, classes, decoding):
            if cell.title == "Result":
                cells.append(Cell(f"Member {number}", "Its best epoch is kept.", _KEPT.format(number=number)))
            elif number == 1 or cell.title not in _ONCE:
                cells.append(Cell(f"Member {number}: {cell.title}", cell.text, cell.code))
    size = config.image_size or get_backbone(config.backbone).image_size
    return [*cells, *_cells(render("together.py.jinja", size=size, members=1 + len(members)))]


def _write(config: TrainingConfig, classes: Sequence[str], decoding: int) -> list[Cell]:
    """The program of one configuration."""
    if is_id(config.backbone):
        raise ConfigError(
            f"A training with {backbone_title(config)} cannot be written as a program, because that network is in no "
            "package: export the model for Keras instead, which holds it."
        )
    record = get_backbone(config.backbone)
    outline = load_outline(config.backbone)
    if config.frozen_layers is not None:
        outline.checked(config.frozen_layers)
    package = record.weights_package or ""
    head_phase, *tuned_phases = phases_of(config, len(outline.layers))
    # Keras adds a second Rescaling to EfficientNet B0-B7 only together with the ImageNet weights.
    layers_missing = int(record.family == "EfficientNet" and config.weights == "random")
    earlier = [block.end - 1 for block in reversed(outline.blocks[:-1]) if block.channels]
    text = render(
        "train.py.jinja",
        config=config,
        record=record,
        classes=list(classes),
        size=config.image_size or record.image_size,
        packages=["tensorflow", "keras", "pillow", "numpy", *package.replace("_", "-").split()],
        reading_pictures=_code_of_decoding(),
        decoding=decoding,
        lite_factors=_LITE_FACTORS,
        head_phase=head_phase,
        tuned_phases=tuned_phases,
        layers_missing=layers_missing,
        pools_first=config.head.blocks > 1 or config.head.mirrored or config.head.pooling == "both",
        taps=[layer - layers_missing for layer in earlier[: config.head.blocks - 1]],
    )
    return _cells(text)


def _cells(text: str) -> list[Cell]:
    """A rendered template in its parts."""
    parts = (part.split("\n", 2) for part in re.split("^# %% ", text, flags=re.MULTILINE)[1:])
    return [Cell(title, comment[2:], code.rstrip()) for title, comment, code in parts]


def _code_of_decoding() -> str:
    """`tl_core.data.decoding`, without its own docstring and what only stands at the top of a module."""
    source = Path(inspect.getfile(decoding_module)).read_text(encoding="utf-8")
    return source.partition("from __future__ import annotations\n")[2].strip()


def as_script(cells: Sequence[Cell], title: str) -> str:
    """The program as a Python file; ``python FILE.py FOLDER`` trains on the images of that folder."""
    name = " ".join(title.replace("\\", "/").replace('"', "'").split())  # which cannot end the docstring
    parts = [f'"""{name}: transfer learning with Keras.   python train.py FOLDER_OF_IMAGES"""']
    for cell in cells:
        ruler = f"# {cell.title} ".ljust(WIDTH, "-")
        words = [f"# {line}" for line in textwrap.wrap(cell.text, WIDTH - 2)]
        parts.append("\n".join([ruler, *words, "", cell.code.replace(_FOLDER, _FOLDER_OR_ARGUMENT)]))
    return "\n\n".join(parts) + "\n"


def as_notebook(cells: Sequence[Cell], title: str) -> str:
    """The same as a notebook in Jupyter's format 4.5 (https://nbformat.readthedocs.io)."""
    entries = [_entry("markdown", "title", f"# {title}")]
    for number, cell in enumerate(cells, start=1):
        entries.append(_entry("markdown", f"text-{number}", f"## {cell.title}\n\n{cell.text}".rstrip()))
        entries.append(_entry("code", f"code-{number}", cell.code, execution_count=None, outputs=[]))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": entries,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _entry(kind: str, name: str, text: str, **more: Any) -> dict[str, Any]:
    return {"cell_type": kind, "id": name, "metadata": {}, **more, "source": text.splitlines(keepends=True)}
