"""A run's model as one file to take away: the model, its class names and the settings it was trained with."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any, Final

from tl_core.backbones.registry import BACKBONES
from tl_core.errors import ModelUnavailableError
from tl_core.runs.record import RunRecord

README: Final = """\
{name}

best.keras     the model, for Keras 3: keras.models.load_model("best.keras")
labels.json    its class names
settings.json  what it was trained with

The model takes a batch of RGB images with values 0-255 as they are in the file, shape (n, {size}, {size}, 3):
squeeze each whole image to that size; the scaling that the backbone needs is inside.
{output}
"""
SOFTMAX: Final = "It gives one probability per class, shape (n, {classes}), in the order of labels.json."
SIGMOID: Final = "It gives one number per image, shape (n, 1): the probability of the second class in labels.json."


def bundle_model(run: RunRecord) -> bytes:
    """Zip ``best.keras`` with ``labels.json``, ``settings.json`` and a ``README.txt``.

    The model file is opened once, so what is packed is one whole model, also while a training replaces it.

    Raises:
        ModelUnavailableError: the run has no model.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:  # a .keras file is a zip already
        try:
            with run.folder.model_file.open("rb") as model, archive.open("best.keras", "w") as entry:
                while piece := model.read(1 << 20):
                    entry.write(piece)
        except FileNotFoundError:
            raise ModelUnavailableError(f"“{run.name}” has no model to download.") from None
        archive.writestr("labels.json", _json(list(run.classes)))
        archive.writestr("settings.json", _json(run.config.to_dict()))
        archive.writestr("README.txt", _readme(run))
    return packed.getvalue()


def bundle_name(run: RunRecord) -> str:
    """File name of the zip; ids are plain letters, digits and dashes."""
    return f"{run.id[:-25]}.zip"


def _readme(run: RunRecord) -> str:
    backbone = BACKBONES.get(run.config.backbone)
    size = run.config.image_size or (backbone.image_size if backbone else "?")
    output = SIGMOID if run.config.head.output == "sigmoid" else SOFTMAX.format(classes=len(run.classes))
    return README.format(name=run.name, size=size, output=output)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
