"""What a model file that a person brings may hold and cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLimits:
    """Bounds of a file, of the network it describes, and of the process that opens it."""

    file_bytes: int = 200_000_000  # the file as it is brought
    directory_bytes: int = 100_000  # the table of contents of a zip, checked before it is read
    zip_members: int = 100  # of an exported zip, in which the model is one
    ratio: int = 100  # how many times larger a member of an exported zip may get when unpacked
    text_bytes: int = 1_000_000  # class names or manifest
    metadata_bytes: int = 10_000
    config_bytes: int = 5_000_000
    config_values: int = 250_000  # the largest of our own has 65,000
    config_depth: int = 60  # ours have 15
    nested_models: int = 4  # models within models; ours have 3
    number: int = 16_384  # units, filters, strides, padding, ...
    shape: int = 4_000_000  # one dimension of a shape that a layer is built for
    parameters: int = 100_000_000
    image_size: tuple[int, int] = (16, 1024)  # pixels
    classes: int = 10_000
    memory_bytes: int = 2 << 30  # of the process that opens it, above what the libraries take
    load_seconds: float = 60.0
    ask_seconds: float = 60.0  # for a few images


LIMITS: Final = ModelLimits()
