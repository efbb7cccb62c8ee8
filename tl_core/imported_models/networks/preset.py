"""The static check of a KerasHub preset, before KerasHub loads it: a folder of JSON files and weights.

KerasHub makes whatever class a ``config.json`` names. So its class has to be one of the image networks below, by its
module and its registered name, and each value a plain number, a short name or a list of these. The preset's own
preprocessing is read here as numbers, and never run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tl_core.errors import ModelFileError

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.weights.h5"
SHARDED: Final = "model.weights.json"
CONVERTER: Final = "image_converter.json"
PREPROCESSOR: Final = "preprocessor.json"
FILES: Final = (CONFIG, WEIGHTS, "metadata.json", CONVERTER, PREPROCESSOR)
"""What is downloaded of a preset; besides it there are only heads and tokenizers."""

MOST_BYTES: Final = 1_000_000_000  # of the weights: two towers, of which the one for images is taken
_MOST_JSON: Final = 2_000_000
_MOST_NUMBER: Final = 1_000_000  # the words that a text tower knows; everything else is far smaller
_MOST_DEPTH: Final = 12
_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{0,120}")
_PACKAGES: Final = ("keras_hub", "keras_nlp")  # as it was called when the first presets were written
_DTYPES: Final = frozenset({"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"})

BACKBONES: Final[Mapping[str, str]] = {
    "CLIPBackbone": "clip",
    "CLIPVisionEncoder": "clip",
    "CSPNetBackbone": "cspnet",
    "DINOV2Backbone": "dinov2",
    "DeiTBackbone": "deit",
    "DenseNetBackbone": "densenet",
    "EfficientNetBackbone": "efficientnet",
    "HGNetV2Backbone": "hgnetv2",
    "MobileNetBackbone": "mobilenet",
    "ResNetBackbone": "resnet",
    "SigLIPBackbone": "siglip",
    "SigLIPVisionEncoder": "siglip",
    "VGGBackbone": "vgg",
    "ViTBackbone": "vit",
    "XceptionBackbone": "xception",
}
"""Image networks of KerasHub, and the folder of `keras_hub.src.models` that each is in."""
_TEXT_TOWERS: Final = {"CLIPTextEncoder": "clip", "SigLIPTextEncoder": "siglip"}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What a preset does with images of 0 to 255: times ``scale``, plus ``offset``, both one number or one per
    channel."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    image_size: int | None  # pixels, width and height


def is_preset(folder: Path) -> bool:
    """Whether a folder is meant as a preset."""
    return (folder / CONFIG).is_file()


def check_preset(folder: Path) -> int:
    """Whether a folder has an image network of KerasHub and nothing strange; gives the bytes of its weights.

    Raises:
        ModelFileError: it has not; the message is one sentence.
    """
    for name in FILES:
        if (folder / name).is_symlink():
            raise ModelFileError("The preset holds a link in place of a file: it is not opened.")
    _check_object(_read(folder / CONFIG), {**BACKBONES, **_TEXT_TOWERS}, top=True)
    preprocessing_of(folder)
    weights = folder / WEIGHTS
    if (folder / SHARDED).exists() or not weights.is_file():
        raise ModelFileError(
            f"There is no {WEIGHTS} in the preset (very large networks have their weights in several files): bring "
            "a smaller one, or download it again."
        )
    size = weights.stat().st_size
    if size > MOST_BYTES:
        raise ModelFileError(
            f"The weights of the preset have {size / 1e6:,.0f} MB, more than the {MOST_BYTES / 1e6:,.0f} MB allowed: "
            "bring a smaller network of its family."
        )
    with weights.open("rb") as file:
        if file.read(len(_HDF5)) != _HDF5:
            raise ModelFileError(f"The file {WEIGHTS} of the preset is damaged or cut off: download it again.")
    return size


def preprocessing_of(folder: Path) -> Preprocessing | None:
    """What the preset itself does with images; None where it says nothing.

    Raises:
        ModelFileError: what it says is damaged.
    """
    values = _converter(folder)
    if values is None:
        return None
    try:
        scale: Any = values.get("scale")
        offset: Any = values.get("offset")
        if "mean" in values and "variance" in values:  # as presets of 2024 say it
            deviations = [math.sqrt(number) for number in values["variance"]]
            offset = [-mean / deviation for mean, deviation in zip(values["mean"], deviations, strict=True)]
            scale = [float(scale) / deviation for deviation in deviations]
        size = values.get("image_size") or (values.get("height"), values.get("width"))
        return Preprocessing(_numbers(scale, 1.0), _numbers(offset, 0.0), int(size[0]) if size[0] else None)
    except (TypeError, ValueError, KeyError, IndexError, ZeroDivisionError, OverflowError) as error:
        raise _damaged(CONVERTER) from error


def backbone_of(folder: Path) -> str:
    """The class of the network of a checked preset."""
    return str(_read(folder / CONFIG)["class_name"])


def _converter(folder: Path) -> dict[str, Any] | None:
    if (folder / CONVERTER).is_file():
        found: Any = _read(folder / CONVERTER).get("config")
    elif (folder / PREPROCESSOR).is_file():
        config = _read(folder / PREPROCESSOR).get("config")
        inner = config.get("image_converter") if isinstance(config, dict) else None
        found = inner.get("config") if isinstance(inner, dict) else None
        if found is None:
            return None
    else:
        return None
    if not isinstance(found, dict):
        raise _damaged(CONVERTER)
    return found


def _numbers(value: Any, otherwise: float) -> tuple[float, ...]:
    """One number or three."""
    numbers = [otherwise] if value is None else value if isinstance(value, list) else [value]
    found = tuple(float(number) for number in numbers)
    if len(found) not in (1, 3) or not all(math.isfinite(number) and abs(number) < _MOST_NUMBER for number in found):
        raise ValueError(found)
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_JSON:
            raise ModelFileError(f"The file {path.name} is far larger than that of any preset: it is not opened.")
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path.name) from error
    if not isinstance(values, dict):
        raise _damaged(path.name)
    return values


def _damaged(name: str) -> ModelFileError:
    return ModelFileError(f"The file {name} of the preset is damaged or incomplete: download it again.")


def _check_object(node: Mapping[str, Any], known: Mapping[str, str], *, top: bool = False, depth: int = 0) -> None:
    """One thing that KerasHub would make: an image network, a tower inside it, or the type of its numbers."""
    name, module, config = node.get("class_name"), node.get("module"), node.get("config")
    if not isinstance(config, dict) or not isinstance(name, str):
        raise _damaged(CONFIG)
    if name == "DTypePolicy" and module == "keras" and config.get("name") in _DTYPES and not top:
        return
    folder = known.get(name) if not top else BACKBONES.get(name)
    modules = tuple(f"{package}.src.models.{folder}." for package in _PACKAGES)
    names = [f"{package}>{name}" for package in _PACKAGES]
    if folder is None or not str(module).startswith(modules) or node.get("registered_name") not in names:
        raise ModelFileError(
            f"The preset is of the class “{_shown(name)}”, which is none of the image networks of KerasHub that can "
            f"be brought ({', '.join(BACKBONES)}): choose a preset of one of these."
        )
    for key, value in config.items():
        _check_value(key, value, known, depth + 1)


def _check_value(key: str, value: Any, known: Mapping[str, str], depth: int) -> None:
    if depth > _MOST_DEPTH:
        raise _damaged(CONFIG)
    if isinstance(value, dict):
        _check_object(value, known, depth=depth)
    elif isinstance(value, list):
        for entry in value:
            _check_value(key, entry, known, depth + 1)
    elif isinstance(value, str):
        if not _NAME.fullmatch(value) or (key == "data_format" and value != "channels_last"):
            raise ModelFileError(
                f"The preset says “{_shown(value)}” for “{_shown(key)}”, as no preset of KerasHub does: not opened."
            )
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= _MOST_NUMBER):
        raise ModelFileError(
            f"The preset asks for “{_shown(key)}” of {value:.4g}, more than any network has: it is not opened."
        )


def _shown(value: Any) -> str:
    text = "".join(char if char.isprintable() else " " for char in str(value)[:200])
    return text if len(text) <= 40 else f"{text[:39]}…"
